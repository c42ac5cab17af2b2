//! JSON schemas of the MCAP channels. Those of Foxglove are the published ones (foxglove/foxglove-sdk, `schemas/jsonschema`),
//! without their descriptions; `roadgaze.Diagnostics` is ours, version 1.

/// `foxglove.CompressedImage`.
pub(super) const COMPRESSED_IMAGE: &str = r##"{"title":"foxglove.CompressedImage","type":"object","properties":{
"timestamp":{"type":"object","title":"time","properties":{"sec":{"type":"integer","minimum":0},"nsec":{"type":"integer","minimum":0,"maximum":999999999}}},
"frame_id":{"type":"string"},
"data":{"type":"string","contentEncoding":"base64"},
"format":{"type":"string"}},
"required":["timestamp","frame_id","data","format"]}"##;

/// `foxglove.ImageAnnotations`.
pub(super) const IMAGE_ANNOTATIONS: &str = r##"{"title":"foxglove.ImageAnnotations","type":"object","$defs":{
"time":{"type":"object","properties":{"sec":{"type":"integer"},"nsec":{"type":"integer"}}},
"point":{"type":"object","properties":{"x":{"type":"number"},"y":{"type":"number"}}},
"color":{"type":"object","properties":{"r":{"type":"number"},"g":{"type":"number"},"b":{"type":"number"},"a":{"type":"number"}}}},
"properties":{
"circles":{"type":"array","items":{"type":"object","properties":{"timestamp":{"$ref":"#/$defs/time"},"position":{"$ref":"#/$defs/point"},"diameter":{"type":"number"},"thickness":{"type":"number"},"fill_color":{"$ref":"#/$defs/color"},"outline_color":{"$ref":"#/$defs/color"}}}},
"points":{"type":"array","items":{"type":"object","properties":{"timestamp":{"$ref":"#/$defs/time"},"type":{"type":"integer"},"points":{"type":"array","items":{"$ref":"#/$defs/point"}},"outline_color":{"$ref":"#/$defs/color"},"outline_colors":{"type":"array","items":{"$ref":"#/$defs/color"}},"fill_color":{"$ref":"#/$defs/color"},"thickness":{"type":"number"}}}},
"texts":{"type":"array","items":{"type":"object","properties":{"timestamp":{"$ref":"#/$defs/time"},"position":{"$ref":"#/$defs/point"},"text":{"type":"string"},"font_size":{"type":"number"},"text_color":{"$ref":"#/$defs/color"},"background_color":{"$ref":"#/$defs/color"}}}}},
"required":["circles","points","texts"]}"##;

/// `foxglove.Log`; level 1 debug, 2 info, 3 warning, 4 error, 5 fatal.
pub(super) const LOG: &str = r##"{"title":"foxglove.Log","type":"object","properties":{
"timestamp":{"type":"object","title":"time","properties":{"sec":{"type":"integer"},"nsec":{"type":"integer"}}},
"level":{"type":"integer"},
"message":{"type":"string"},
"name":{"type":"string"},
"file":{"type":"string"},
"line":{"type":"integer","minimum":0}},
"required":["timestamp","level","message","name","file","line"]}"##;

/// Class, pixel ratios and stage times of a frame.
pub(super) const DIAGNOSTICS: &str = r##"{"title":"roadgaze.Diagnostics","type":"object","properties":{
"position":{"type":"integer"},
"class":{"type":"integer"},
"predicted":{"type":"integer"},
"correct":{"type":"boolean"},
"confidence":{"type":"number"},
"pixel_ratio":{"type":"object","additionalProperties":{"type":"number"}},
"stage_ms":{"type":"object","additionalProperties":{"type":"number"}}},
"required":["position","class","predicted","correct","confidence","pixel_ratio","stage_ms"]}"##;
