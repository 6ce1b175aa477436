"""Sets up one run: target, peers, dialects. Pytest and the command line both begin here, so that their verdicts are the same."""

import contextlib
import shlex
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rollout_conformance.contracts.requirements import Requirement
from rollout_conformance.steps import probe
from rollout_conformance.steps.engine import body_limits, redaction
from rollout_conformance.steps.engine import target_card as cards
from rollout_conformance.steps.engine.cases import Case
from rollout_conformance.steps.engine.findings import SuiteError
from rollout_conformance.steps.engine.runner import LAST, LATE, SLOW, SLOW_S, Options, Runner
from rollout_conformance.steps.engine.starting import NotUsable, waited_for
from rollout_conformance.steps.engine.target_card import Card
from rollout_conformance.steps.engine.target_spec import FORMS
from rollout_conformance.steps.engine.targets import with_log, within
from rollout_conformance.steps.live import backend_option
from rollout_conformance.steps.live.backend_option import BOTH, LIVE, SCRIPTED, BackendChoice
from rollout_conformance.steps.live.engine import EngineOptions
from rollout_conformance.steps.live.inference_client import Engine
from rollout_conformance.steps.paths import ROOT, TOKENIZER
from rollout_conformance.steps.peers import tokens
from rollout_conformance.steps.probe import Greeting
from rollout_conformance.steps.profiles import DEFAULT, member_of_another, profile_of
from rollout_conformance.steps.profiles.base import Peers, Profile, Setting


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a user asked for; None stands for the profile's own choice."""

    profile: str = DEFAULT
    dialect: str | None = None
    target: str | None = None
    card: Path | None = None
    target_key: str | None = None
    tokenizer: Path | None = None
    tokenizer_name: str | None = None
    listen: tuple[str, int] = ("127.0.0.1", 0)
    level: str = "must"
    strict: bool = False
    jobs: int = 32
    described: Card | None = None  # a card that is in no file
    backend: str = SCRIPTED
    record: Path | None = None
    max_body: int | None = None  # MiB; no body of a target is read beyond it
    engine_options: EngineOptions | None = None  # the engine of a live run; default: what the environment says
    model: str | None = None
    patience: float | None = None  # seconds that a silent target is waited for, instead of those of the card
    wait: float = 0.0  # seconds that a target which is still starting is waited for

    def __post_init__(self) -> None:
        # A script whose variable is unset would otherwise judge the reference, and pass.
        if self.target is not None and not self.target.strip():
            raise SuiteError(f"--target is empty. {FORMS} Without --target the reference of the suite is judged.")


@dataclass(slots=True)
class Run:
    """A run that is ready to play cases of these dialects. `greetings` are how the target was greeted in each that was tried."""

    options: RunOptions
    profile: Profile
    runner: Runner
    peers: Peers
    dialects: tuple[str, ...]
    target: str
    engine: Engine | None = None
    greetings: tuple[Greeting, ...] = ()

    @property
    def tokenizer_hash(self) -> str:
        return self.peers.tokenizer_hash

    @property
    def model(self) -> str | None:
        """The live model; None without one."""
        return self.engine.model if self.engine else None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of the target before it is judged."""
        return probe.remarks(self.greetings)

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The dialects that were asked for by name, on the command line or on the card, and cannot be judged."""
        named = (self.options.dialect,) if self.options.dialect else self.runner.options.card.dialects
        return tuple(
            greeting.dialect for greeting in self.greetings if greeting.dialect in named and greeting.result.obstacle
        )

    def applicable(self, cases: Iterable[Case]) -> list[Case]:
        """The cases for this target."""
        mine = (case for case in cases if case.profile == self.profile.name and case.dialect in self.dialects)
        return with_known_variants(mine, self.runner.options.card)

    def ordered(self, cases: Iterable[Case]) -> list[Case]:
        """The cases in the order in which they should begin: first those that wait longest for what they are about.

        That is a deadline of their configuration, then the start of an instance of their own: of many that share one before few. Those
        after which the target may be another one are the last, and after them come those with the tags `late` and `last`.
        """
        card = self.runner.options.card

        def patience(case: Case) -> tuple[bool, bool, bool, float, int]:
            waits = card.limits(case.variant).longest() if case.variant in card.variants else 0.0
            waits = max(waits, SLOW_S if SLOW in case.tags else 0.0)
            pooled = self.runner.instances.uses_pool(case)
            disturbs = self.profile.disturbs(case) and not pooled
            return (
                LAST not in case.tags,
                LATE not in case.tags,
                not disturbs,
                waits,
                3 * pooled + 2 * bool(case.variant) + case.alone,
            )

        return sorted(cases, key=patience, reverse=True)


def card_of(run_options: RunOptions, profile: Profile) -> Card:
    if run_options.described is not None:
        return cards.card_as(profile.card, run_options.described)
    if run_options.card is not None:
        elsewhere = partial(member_of_another, profile=profile)
        return cards.load(run_options.card, profile.card, profile.dialects, profile.unknown_capability, elsewhere)
    return cards.load(profile.reference.card, profile.card) if run_options.target is None else profile.card()


def patient(card: Card, run_options: RunOptions) -> Card:
    """The card with the patience that the user gives: how long a silent target is waited for, and one that the suite starts."""
    change = {"start_s": max(card.start_s, run_options.wait)}
    patience = run_options.patience
    return card.model_copy(update=change if patience is None else {**change, "patience_s": patience})


def with_known_variants(cases: Iterable[Case], card: Card) -> list[Case]:
    """A variant that its card does not declare is the target as it is: whether that can be judged is for the needs of the case to say."""
    return [case if case.variant in card.variants else replace(case, variant="") for case in cases]


def wanted_dialects(run_options: RunOptions, card: Card, profile: Profile) -> tuple[str, ...]:
    """The dialects that are judged, as far as the target shows them. Raises `SuiteError` for one that the profile does not have."""
    wanted = (run_options.dialect,) if run_options.dialect else tuple(card.dialects) or profile.dialects
    strange = [dialect for dialect in wanted if dialect not in profile.dialects]
    if strange:
        raise SuiteError(
            f"--dialect {strange[0]}: profile {profile.name} has the dialects {', '.join(profile.dialects)}."
        )
    return wanted


@contextlib.asynccontextmanager
async def ready(run_options: RunOptions) -> AsyncIterator[Run]:
    """Start or reach the target, serve the peers, look which dialects there are and greet the target in each of them.

    Raises `SuiteError` when that fails, or shows that nothing can be judged.
    """
    body_limits.allow(run_options.max_body)
    profile = profile_of(run_options.profile)
    card, target = (
        patient(card_of(run_options, profile), run_options),
        run_options.target or profile.reference.app,
    )
    wanted = wanted_dialects(run_options, card, profile)
    for secret in (run_options.target_key, *card.secrets()):
        redaction.remember(secret)
    _one_key(card, run_options.target_key)
    asked = BackendChoice(
        run_options.backend,
        _tokenizer_hash(run_options, card),
        profile.name,
        run_options.record,
        _engine_options(run_options),
    )
    async with backend_option.opened(asked) as model:
        if model.engine is not None and profile.live_target is not None:
            target = run_options.target or profile.live_target(model.engine)
        access = (run_options.target_key, run_options.tokenizer, run_options.tokenizer_name, run_options.listen)
        setting = Setting(target, card, *access, model.run, model.engine, run_options.model)
        async with (
            profile.peers(setting) as peers,
            _campaign(run_options, profile, setting, peers) as runner,
        ):
            instance = await runner.target()
            try:
                greetings = await _greeted(run_options.wait, instance.base_url, runner, profile, peers, wanted)
                dialects = probe.judgeable(instance.base_url, greetings)
                for greeting in greetings:
                    if greeting.dialect in dialects:
                        await peers.learn(instance.base_url, greeting.dialect, greeting.session.trace)
            except NotUsable as error:
                raise with_log(error, instance) from error
            if model.engine is None:
                runner.standstill.answers = lambda: probe.answers(runner, profile, dialects[0])
            runner.limit(await peers.capacity(instance.base_url, dialects, run_options.jobs))
            yield Run(
                options=run_options,
                profile=profile,
                runner=runner,
                peers=peers,
                dialects=dialects,
                target=target,
                engine=model.engine,
                greetings=greetings,
            )


async def _greeted(
    wait_s: float, base_url: str, runner: Runner, profile: Profile, peers: Peers, wanted: tuple[str, ...]
) -> tuple[Greeting, ...]:
    """How the target was greeted in each of the dialects that it shows; it is waited for as long as it is starting, at most `wait_s` seconds.
    Raises `NotUsable` when it can be judged in none of them."""
    card, began = runner.options.card, time.monotonic()
    await within(wait_s, base_url, card.headers, card.path("/health"))

    async def look() -> tuple[Greeting, ...]:
        greetings = await probe.greet(runner, profile, await peers.discover(base_url, wanted))
        probe.judgeable(base_url, greetings)
        return greetings

    return await waited_for(look, wait_s, began)


def _one_key(card: Card, given: str | None) -> None:
    """Raises `SuiteError` when a key is given and the card has a header for one as well: requests without the key would have it still."""
    named = next((name for name in card.headers if name.lower() == "authorization"), "")
    if named and (given or card.key):
        raise SuiteError(
            f"the card has a key in `headers: {{{named}: ...}}`, and another one is given as `key` or --target-key. Cases send requests "
            "without a key and with a wrong one, and the header would be sent with them: give the key once."
        )


def _engine_options(run_options: RunOptions) -> EngineOptions | None:
    """The engine of a live run, with the model that was named."""
    if run_options.model is None or run_options.backend not in (LIVE, BOTH):
        return run_options.engine_options
    return replace(run_options.engine_options or EngineOptions.from_environment(), model=run_options.model)


def _campaign(run_options: RunOptions, profile: Profile, setting: Setting, peers: Peers) -> Runner:
    live = setting.engine is not None
    options = Options(
        peers.resolved(setting.target),
        peers.resolve_placeholders(setting.card),
        run_options.level,
        run_options.strict,
        run_options.jobs,
        live,
    )
    return Runner(options, profile, peers, lambda case: rerun(run_options, case))


def _tokenizer_hash(run_options: RunOptions, card: Card) -> str:
    return tokens.load(run_options.tokenizer or (Path(card.tokenizer) if card.tokenizer else TOKENIZER)).hash


def run_command(run_options: RunOptions) -> str:
    """The command that judges the same target with the same options."""
    return shlex.join(_command(run_options, run_options.dialect))


def _command(run_options: RunOptions, dialect: str | None) -> list[str]:
    words = ["rollout-conformance", "run", "--profile", run_options.profile]
    for option, value in (
        ("--dialect", dialect),
        ("--target", run_options.target),
        ("--card", run_options.card),
        ("--tokenizer", run_options.tokenizer),
        ("--model", run_options.model),
    ):
        if value is not None:
            words += [option, str(value)]
    if run_options.patience is not None:
        words += ["--patience", f"{run_options.patience:g}"]
    if run_options.listen[1]:
        words += ["--listen", "{}:{}".format(*run_options.listen)]
    if run_options.target_key is not None:
        words += ["--target-key", "..."]
    if run_options.backend != SCRIPTED:
        words += ["--backend", run_options.backend]
    return words


def rerun(run_options: RunOptions, case: Case, alone: bool = True) -> str:
    """The command that runs one case again against the same target; with all the others, as many at once, if not `alone`."""
    words = _command(run_options, case.dialect)
    own = Path(case.at.file).is_absolute() or not (ROOT / case.at.file).is_file()  # not one of this project's
    if not alone:
        beside = [str(Path(case.at.file).parent)] if own else []
        return shlex.join([*words, *beside, "-j", str(run_options.jobs)])
    return shlex.join([*words, case.at.file, "--case", case.name] if own else [*words, "--case", case.name])


def levels(catalogue: dict[str, Requirement]) -> dict[str, str]:
    return {name: requirement.level for name, requirement in catalogue.items()}
