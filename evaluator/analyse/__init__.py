"""From a run's folder to its report, and from several runs to what they show together."""
