#!/usr/bin/env python3
"""Makes the seeds of the fuzz targets and the two files that targets build in.

    python3 tests/fuzz/seeds.py ROADGAZE        needs Pillow, numpy, onnx, and binutils

Everything is small: a fuzzer does better with ten short inputs than with one long one.
"""

import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent


def put(target: str, name: str, data: bytes) -> None:
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def weights(name: str, shape: tuple[int, ...], kind=np.float32) -> TensorProto:
    draw = np.random.default_rng(len(name))
    values = draw.integers(-60, 60, shape).astype(kind) if kind != np.float32 else draw.normal(size=shape).astype(kind)
    return numpy_helper.from_array(values, name)


def scalar(name: str, value, kind) -> TensorProto:
    return numpy_helper.from_array(np.array(value, kind), name)


def model(nodes: list, initializers: list, opset: int = 17) -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        initializers,
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def networks() -> None:
    node = helper.make_node
    tail = [node("GlobalAveragePool", ["f"], ["p"]), node("Flatten", ["p"], ["v"]), node("Gemm", ["v", "w", "b"], ["y"], transB=1)]
    head = [weights("w", (4, 8)), weights("b", (4,))]
    convolution = [node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]), node("Relu", ["c"], ["f"])]
    put("onnx", "float.onnx", model(convolution + tail, [weights("k", (8, 3, 3, 3)), *head]))
    half = numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float16), "h")
    cast = [node("Cast", ["h"], ["k"], to=1)]
    put("onnx", "half.onnx", model(cast + convolution + tail, [half, *head]))
    quantized = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["k", "ks", "kz"], ["kd"], axis=0),
        node("Conv", ["d", "kd"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Relu", ["c"], ["r"]),
        node("QuantizeLinear", ["r", "s", "z"], ["rq"]),
        node("DequantizeLinear", ["rq", "s", "z"], ["f"]),
    ]
    codes = [
        weights("k", (8, 3, 3, 3), np.int8),
        numpy_helper.from_array(np.full(8, 0.02, np.float32), "ks"),
        numpy_helper.from_array(np.zeros(8, np.int8), "kz"),
        scalar("s", 0.05, np.float32),
        scalar("z", 3, np.uint8),
    ]
    put("onnx", "qdq.onnx", model(quantized + tail, codes + head))
    operators = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "k", "ks", "kz", "s", "z"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("QLinearAdd", ["c", "s", "z", "c", "s", "z", "s", "z"], ["a"], domain="com.microsoft"),
        node("DequantizeLinear", ["a", "s", "z"], ["f"]),
    ]
    put("onnx", "operators.onnx", model(operators + tail, codes + head))
    layers = [
        node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], group=1),
        node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        node("LayerNormalization", ["t", "g", "o"], ["n"], axis=-1, epsilon=1e-6),
        node("Erf", ["n"], ["e"]),
        node("Mul", ["n", "e"], ["m"]),
        node("Transpose", ["m"], ["f"], perm=[0, 3, 1, 2]),
    ]
    put("onnx", "norm.onnx", model(layers + tail, [weights("k", (8, 3, 3, 3)), weights("g", (8,)), weights("o", (8,)), *head]))
    for file in (HERE / "seeds/onnx").iterdir():
        onnx.load(file)
        put("network", file.name, file.read_bytes())


def pictures() -> None:
    import io

    base = Image.fromarray(np.random.default_rng(1).integers(0, 255, (12, 16, 3), np.uint8))
    for mode in ("RGB", "L", "RGBA", "LA", "P", "1", "I;16"):
        image = base.convert("I").convert("I;16") if mode == "I;16" else base.convert(mode)
        data = io.BytesIO()
        image.save(data, "PNG")
        put("picture", f"{mode.replace(';', '')}.png", data.getvalue())
    for name, options in (("base.jpg", {}), ("progressive.jpg", {"progressive": True}), ("grey.jpg", {})):
        data = io.BytesIO()
        (base.convert("L") if name == "grey.jpg" else base).save(data, "JPEG", **options)
        put("picture", name, data.getvalue())


def texts() -> None:
    catalogue = (REPOSITORY / "datasets/signs/catalogue.toml").read_text()
    signs = catalogue.split("\n\n")
    put("catalogue", "three.toml", "\n\n".join(signs[1:4]).encode())
    put("catalogue", "twenty.toml", "\n\n".join(signs[1:21]).encode())
    put("plan", "service.toml", (REPOSITORY / "deploy/debian/plan.toml").read_bytes())
    put("plan", "manifest.toml", (REPOSITORY / "tests/golden/desktop/resnet-micro.toml").read_bytes())
    put(
        "plan",
        "all.toml",
        b'model = "m"\ndata = "d"\nframes = 9\nattribute = ["gradcam", "kernel-shap"]\nthreads = 2\nskip_bad = true\n'
        b"[shap]\nestimator = \"leverage\"\nevaluations = 100\nprecision = 0.05\nseed = 3\n"
        b"grid = { rows = 3, columns = 4 }\nbaseline = \"zero\"\noutput = \"probability\"\n[shard]\nnumber = 1\nof = 3\n",
    )
    put("plan", "scenario.toml", b'fps = 30\nseed = 4\n[[fault]]\nkind = "drop"\nshare = 0.05\n[[fault]]\nkind = "stall"\nevery = 50\nlasting_ms = 200\n')


def runs(roadgaze: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copy(REPOSITORY / "tests/golden/desktop/resnet-micro.onnx", place)
        text = (REPOSITORY / "tests/golden/desktop/resnet-micro.toml").read_text()
        (place / "resnet-micro.toml").write_text(re.sub(r"(?m)^hash = .*\n", "", text))
        out = place / "run"
        command = [roadgaze, "run", "--model", place / "resnet-micro.toml", "--frames", "3", "--data", "synthetic:CF/test?size=64"]
        command += ["--attribute", "gradcam,kernel-shap", "--shap-grid", "2x2", "--shap-evals", "16", "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        log = (out / "telemetry.defmt").read_bytes()
        put("log", "run.defmt", log)
        put("log", "cut.defmt", log[7:201])
        store = out / "run.sqlite"
        with sqlite3.connect(store) as db:
            # rollback journal and small pages: the fuzzer rewrites the file a thousand times a second
            db.execute("PRAGMA journal_mode = delete")
            db.execute("PRAGMA page_size = 1024")
            db.execute("VACUUM")
        db.close()
        (HERE / "store.sqlite").write_bytes(store.read_bytes())
        put("store", "flip", bytes([1, 0x40, 0, 0, 0x55]))
        put("store", "flips", bytes([1, 0x20, 1, 3, 1, 2, 3, 4, 0xC0, 7, 0, 9]))
        put("store", "nothing", b"\x00")
        put("store", "header", b"\x00" + store.read_bytes()[:100])
    # the executable without its code: sections and symbols of the format strings are all that is read
    symbols = subprocess.run(["nm", roadgaze], check=True, capture_output=True, text=True).stdout.splitlines()
    keep = [line.split(" ", 2)[2] for line in symbols if re.match(r"[0-9a-f]+ \S (\{|_?_?defmt|__DEFMT|_defmt)", line)]
    with tempfile.TemporaryDirectory() as folder:
        # as arguments: a file of names is cut at spaces, and format strings are full of them
        names = [f"--keep-symbol={name}" for name in keep]
        out = Path(folder) / "strings.elf"
        sections = subprocess.run(["readelf", "-SW", roadgaze], check=True, capture_output=True, text=True).stdout
        found = re.findall(r"\]\s+(\.[\w.-]+)\s", sections)
        away = [f"--remove-section={s}" for s in found if s not in (".defmt", ".symtab", ".strtab", ".shstrtab")]
        subprocess.run(["objcopy", "--strip-all", *names, *away, roadgaze, out], check=True)
        (HERE / "strings.elf").write_bytes(out.read_bytes())
        print(f"strings.elf: {out.stat().st_size} bytes, {len(keep)} symbols")


def main() -> None:
    shutil.rmtree(HERE / "seeds", ignore_errors=True)
    networks()
    pictures()
    texts()
    # a length byte, framed packets of a few bytes, a long run, marks in a row
    put("link", "frames", bytes([3, 3, 1, 2, 0, 2, 9, 0, 1, 1, 0, 0, 5, 1, 2, 3, 4, 0]))
    put("link", "run", bytes([200, 255, *([7] * 254), 2, 1, 0]))
    put("link", "sealed", bytes([1, *range(24), 200, 100, 50]))
    runs(sys.argv[1])
    total = sum(f.stat().st_size for f in HERE.rglob("seeds/*/*"))
    print(f"seeds: {total} bytes; store.sqlite: {(HERE / 'store.sqlite').stat().st_size} bytes")


if __name__ == "__main__":
    main()
