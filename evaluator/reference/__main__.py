"""Write the pages of `docs/reference` anew: `python -m evaluator.reference`, in the checkout."""

from pathlib import Path

from evaluator.reference.pages import PAGES

if __name__ == "__main__":
    for name, page in PAGES.items():
        Path("docs/reference", name).write_text(page(), encoding="utf-8")
