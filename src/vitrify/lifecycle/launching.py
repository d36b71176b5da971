"""Instances of a release: started where they are missing, adopted where they are there, ended where they must go."""

from __future__ import annotations

from collections.abc import Iterable

from vitrify.core.instance import Instance, InstanceSpec
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.settings import RunSettings, secret_names
from vitrify.ports import Release

GRACE = 10.0
"""Seconds that an instance is given to end."""


async def launch(rollout: Rollout) -> tuple[Instance, ...]:
    """Start what is missing, adopt what is there; never a second instance under one id."""
    kept = await kept_of(rollout)
    for instance in kept:
        await rollout.site.runtime.stop_later(instance.id, at=None)
    return (*kept, *await launch_some(rollout, rollout.settings.replicas - len(kept)))


async def launch_some(rollout: Rollout, count: int) -> tuple[Instance, ...]:
    """So many of this operation's own instances, those that run already among them."""
    return tuple([await _launch_one(rollout, index) for index in range(count)])


async def kept_of(rollout: Rollout) -> list[Instance]:
    """Instances of the release that ran before this operation, and go on."""
    return [instance for instance in await rollout.running() if instance.id in rollout.intended.keep]


async def own_of(rollout: Rollout) -> tuple[Instance, ...]:
    """Everything that this operation launched, whether it runs or not."""
    return await rollout.site.runtime.instances({**rollout.labels(), "operation": rollout.operation.id})


async def end(rollout: Rollout, instance: Instance, *, grace: float) -> None:
    """Stop an instance and take it off the disk, or into quarantine; harmless where either was done."""
    runtime, entry = rollout.site.runtime, rollout.intended.evidence
    evidence = entry > 0 and instance.id in rollout.intended.out
    if not instance.gone or evidence:  # evidence must not come back with its machine: it is asked to stop, whatever it is
        await runtime.stop(instance.id, grace=grace)
    if evidence:
        await runtime.quarantine(instance.id, by=rollout.world.author, why=f"finding {entry} of the ledger", entry=entry)
    else:
        await runtime.discard(instance.id)


def addresses(instances: Iterable[Instance]) -> tuple[str, ...]:
    """Where these answer."""
    return tuple(f"127.0.0.1:{instance.port}" for instance in instances if instance.port)


async def _launch_one(rollout: Rollout, index: int) -> Instance:
    identity = f"{rollout.server}-r{rollout.release.number}-{rollout.operation.id[-8:]}-{index}"
    labels = {**rollout.labels(), "operation": rollout.operation.id, "instance": identity}
    return await rollout.site.runtime.launch(spec_of(rollout, rollout.release, rollout.settings, labels=labels))


def spec_of(rollout: Rollout, release: Release, settings: RunSettings, *, labels: dict[str, str]) -> InstanceSpec:
    """What to launch for an instance of a release, under the id that its labels give."""
    return InstanceSpec(
        id=labels["instance"],
        image=release.image,
        argv=settings.argv,
        labels=labels,
        environment=settings.environment(rollout.secret),
        workdir=settings.workdir,
        user=settings.user,
        writable=settings.writable,
        port=settings.port,
        runtime=settings.runtime,
        secrets=tuple(name for name, value in settings.env.items() if secret_names({name: value})),
        volumes=settings.volumes,
        capabilities=settings.capabilities,
        limits=settings.limits,
    )
