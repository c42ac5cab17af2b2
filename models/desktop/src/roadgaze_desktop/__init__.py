"""The desktop side of roadgaze: rendered sets in, trained networks with a manifest out.

Shape legend: N images, C channels, H rows, W columns, K classes, M segments, S coalitions.
"""

__version__ = "0.1.0"
