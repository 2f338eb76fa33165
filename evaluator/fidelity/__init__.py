"""How far a build is from its reference, token by token: perplexity, KL divergence, top-1 agreement."""
