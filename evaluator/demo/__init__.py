"""The whole job on a tiny model, from nothing: builds made on the spot, real servers, real questions."""
