"""The build hook: an sdist or wheel holds the built page, or there is none.

Must not know how the page is built: that is scripts/page.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent / "scripts"))
import page


class PageBuildHook(BuildHookInterface[Any]):
    """Builds the page before an sdist or a wheel is made. An editable install uses the checkout, built or not."""

    def dependencies(self) -> list[str]:
        """Node as a wheel, where the page is still to be built and the machine has no Node that is new enough."""
        return [] if page.is_built() or page.machine_npm() else [page.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page unless it stands; end the build with one sentence where that fails."""
        if version == "editable" or page.is_built():
            return
        try:
            page.build(page.machine_npm() or page.wheel_npm(sys.executable))
        except page.PageError as error:
            self.app.abort(str(error))
