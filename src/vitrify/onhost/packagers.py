"""Whichever package manager keeps a target: dpkg, or rpm where no dpkg does."""

from __future__ import annotations

from typing import Optional

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import System
from vitrify.onhost.packaged import Packages
from vitrify.onhost.packaged_dpkg import DpkgPackages
from vitrify.onhost.packaged_rpm import PROGRAM, RpmPackages


def packages_of(system: System) -> Optional[Packages]:
    """The packages as they are now; None where nobody keeps any."""
    dpkg = DpkgPackages(system)
    if dpkg.versions:
        return dpkg
    if system.stat(PROGRAM) is None:
        return None
    try:
        rpm = RpmPackages(system)
    except TargetFailed:  # it cannot be asked here: then no package explains anything
        return None
    return rpm if rpm.versions else None
