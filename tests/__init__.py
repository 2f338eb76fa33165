"""The tests mirror the packages; `support/` is what they share, `live/` needs real servers, `bench/` measures."""
