"""Which quantized build of this local model should I run, and how sure can I be?"""

__version__ = "0.1.0"
