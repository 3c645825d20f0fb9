"""Arrays to pictures: sprites, colour scales and the geometry of charts. Knows nothing of models.

Sprites are lossless WebP; charts are coordinates that the templates turn into SVG.
"""
