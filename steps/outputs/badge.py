"""A badge (SVG) with the verdict of a run. It has a title for those who do not see it, and needs no font and no network."""

from xml.etree.ElementTree import Element, SubElement, tostring

from rollout_conformance.steps.engine.findings import Verdict
from rollout_conformance.steps.outputs.facts import RunFacts, printable

GREEN, YELLOW, RED, GREY, DARK = "#1a7f37", "#9a6700", "#b42318", "#6e7781", "#444c56"
SIGN_WIDTH, PADDING, HEIGHT = 6.6, 12, 20  # pixels at 11 px; `textLength` holds the text to it, whatever font there is


def render(facts: RunFacts) -> bytes:
    label, (text, colour) = f"{facts.profile} conformance", _verdict(facts)
    left, right = _width(label), _width(text)
    size = {"width": str(left + right), "height": str(HEIGHT)}
    title = printable(f"{label}: {text}")
    root = Element("svg", {**size, "role": "img", "aria-label": title}, xmlns="http://www.w3.org/2000/svg")
    SubElement(root, "title").text = title
    clip = SubElement(root, "clipPath", id="round")
    SubElement(clip, "rect", size, rx="3")
    boxes = SubElement(root, "g", {"clip-path": "url(#round)"})
    SubElement(boxes, "rect", {"width": str(left), "height": str(HEIGHT), "fill": DARK})
    SubElement(boxes, "rect", {"x": str(left), "width": str(right), "height": str(HEIGHT), "fill": colour})
    font = {"fill": "#fff", "text-anchor": "middle", "font-family": "Verdana,DejaVu Sans,sans-serif", "font-size": "11"}
    texts = SubElement(root, "g", font)
    for shown, begins, width in ((label, 0, left), (text, left, right)):
        at = {"x": f"{begins + width / 2:g}", "y": "14", "textLength": str(width - PADDING)}
        SubElement(texts, "text", at).text = printable(shown)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _verdict(facts: RunFacts) -> tuple[str, str]:
    """The text and its colour."""
    if facts.broken:
        return f"{len(facts.broken)} broken", RED
    if facts.ended or any(outcome.judgement.verdict is Verdict.ERROR for outcome in facts.outcomes):
        return "not judged in full", GREY
    kept = len(facts.judged - set(facts.known))
    if facts.known:
        return f"{kept} kept, {len(facts.known)} known", YELLOW
    return (f"{kept} kept", GREEN) if kept else ("nothing judged", GREY)


def _width(text: str) -> int:
    return round(len(text) * SIGN_WIDTH) + PADDING
