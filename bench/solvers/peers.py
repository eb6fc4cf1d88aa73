"""Everybody who takes part. A solver is added by a line here and a file with its fits."""

from __future__ import annotations

from importlib.util import find_spec

from . import peer_adelie, peer_celer, peer_liblinear, peer_skglm, peer_sklearn
from .peer import Peer
from .task import Form

PEERS = [
    *peer_sklearn.PEERS,
    *peer_celer.PEERS,
    *peer_skglm.PEERS,
    *peer_liblinear.PEERS,
    *peer_adelie.PEERS,
]


def all_of() -> list[Peer]:
    """Ours first. Imported late: a process that measures another solver must not load ours."""
    from .ours import PROXSTEP

    return [PROXSTEP, *PEERS]


def find(name: str) -> Peer:
    here = {peer.name: peer for peer in PEERS}
    return here[name] if name in here else next(p for p in all_of() if p.name == name)


def is_installed(peer: Peer) -> bool:
    return find_spec(peer.module.partition(".")[0]) is not None


def that_solve(form: Form) -> list[Peer]:
    return [peer for peer in all_of() if form in peer.makers]
