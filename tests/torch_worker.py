"""One process of a distributed test: `python torch_worker.py CASE RANK FOLDER`. Prints nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import proxstep as ps
import torch
import torch.distributed as dist
import torch_cases as cases
from proxstep.torch import ProxAdamW, sparsity_report
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

SETTINGS: dict[str, Any] = {"lr": 0.03, "penalty": ps.L1(0.05)}
ROWS = ps.Group(ps.L1(0.3), over="rows")


def whole(model: Any) -> dict[str, Any]:
    """The parameters, gathered."""
    return {
        name: (p.full_tensor() if isinstance(p, DTensor) else p).detach().clone()
        for name, p in model.named_parameters()
    }


def data_parallel(rank: int) -> dict[str, Any]:
    """Each process sees other samples; the gradients are averaged."""
    model = torch.nn.parallel.DistributedDataParallel(cases.digits_mlp())
    optimizer = ProxAdamW(model.parameters(), **SETTINGS)
    for step in range(6):
        optimizer.zero_grad()
        cases.loss_of(model, 10 * step + rank).backward()
        optimizer.step()
    return whole(model.module)


def sharded(penalty: Any) -> dict[str, Any]:
    """FSDP2: every process holds a part of each parameter's rows."""
    model = cases.digits_mlp()
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    optimizer = ProxAdamW(model.parameters(), lr=0.03, penalty=penalty)
    for step in range(6):
        optimizer.zero_grad()
        cases.loss_of(model, step).backward()
        optimizer.step()
    return whole(model)


def gradient_of(mesh: Any, place: Any, rank: int) -> Any:
    """The same gradient whatever its placement, as a summand on each process or spread."""
    parts = [torch.randn(4, 6, generator=torch.Generator().manual_seed(k)) for k in range(2)]
    if isinstance(place, Partial):
        return DTensor.from_local(parts[rank], mesh, [place])
    return distribute_tensor(parts[0] + parts[1], mesh, [place])


def placements(rank: int) -> dict[str, Any]:
    """A step with each placement of a parameter and of its gradient."""
    mesh, found = init_device_mesh("cpu", (2,)), {}
    for own in (Replicate(), Shard(0), Shard(1)):
        for place in (Partial(), Replicate(), Shard(0), Shard(1)):
            param = torch.nn.Parameter(distribute_tensor(torch.ones(4, 6), mesh, [own]))
            param.grad = gradient_of(mesh, place, rank)
            ProxAdamW([param], **SETTINGS).step()
            found[f"{own} {place}"] = param.full_tensor().detach()
    return found


def message_of(params: Any, **options: Any) -> str:
    try:
        ProxAdamW(params, **options)
    except ValueError as error:
        return str(error)
    return "nothing was refused"


def reports(_: int) -> dict[str, Any]:
    """The zeros of a model under FSDP2, where tensors have an odd number of rows."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Linear(5, 3))
    with torch.no_grad():
        for p in model.parameters():
            p[1:3] = 0
    alone = sparsity_report(model, block=4).to_dict()
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    return {"alone": alone, "spread": sparsity_report(model, block=4).to_dict()}


def refused(_: int) -> dict[str, Any]:
    """Columns of a matrix whose rows are spread, and the largest elements of all of it."""
    mesh = init_device_mesh("cpu", (2,))
    param = torch.nn.Parameter(distribute_tensor(torch.ones(4, 6), mesh, [Shard(0)]))
    columns, largest = ps.Group(ps.L1(0.1), over="columns"), ps.TopK(0.5, scope="global")
    summands = torch.nn.Parameter(DTensor.from_local(torch.ones(4, 6), mesh, [Partial()]))
    found = {"columns": columns, "largest": largest}
    messages = {name: message_of([param], penalty=penalty) for name, penalty in found.items()}
    messages["rows"] = message_of([param], penalty=SETTINGS["penalty"], skip_zero_rows=True)
    return {**messages, "summands": message_of([summands])}


def refused_reading(_: int) -> dict[str, Any]:
    """Each process would clip, or skip, by the gradients of its own shards."""
    model = cases.digits_mlp()
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    options: list[dict[str, Any]] = [{"max_norm": 1.3}, {"nonfinite": "skip"}]
    return {"messages": [message_of(model.named_parameters(), **own) for own in options]}


CASES: dict[str, Any] = {
    "data_parallel": data_parallel,
    "sharded_elements": lambda _: sharded(SETTINGS["penalty"]),
    "sharded_rows": lambda _: sharded(ROWS),
    "placements": placements,
    "reports": reports,
    "refused": refused,
    "refused_reading": refused_reading,
}


def main(case: str, rank: int, folder: Path) -> None:
    store = dist.FileStore(str(folder / "store"), 2)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    torch.save(CASES[case](rank), folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
