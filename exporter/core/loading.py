"""A snapshot from its files, and what is wrong with them as files (spec 4, E101 to E104).

The files were read and parsed elsewhere; here they find their documents, parents and places. What
cannot be placed is reported and left out; nothing stops at the first problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from exporter.core.files import Fault, parse_mapping, read_rows
from exporter.core.findings import Finding
from exporter.core.model import DOCTYPES, LESSON, PLAN, DocType, Document, ExtraFields, Json, Ref
from exporter.core.packed import PackedRows, packed
from exporter.core.tree import Place, Snapshot, grow, place_of

__all__ = [
    "UNREAD",
    "Loaded",
    "ParsedFile",
    "assemble",
    "assemble_ordered",
    "reading_order",
    "with_packed_rows",
]

UNREAD = frozenset({("name",), ("is_published",)})
"""Fields without which nobody can tell whether a document should be shown."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file of the snapshot folder as a YAML reader saw it."""

    path: str
    mapping: Mapping[str, Json] | None
    """None where it is not YAML, or not a mapping."""
    problem: str = ""
    line: int = 0
    rows: PackedRows | None = None
    """Its child rows where they were read already; the mapping is then without them."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A snapshot, and the findings that its files show by themselves."""

    snapshot: Snapshot
    findings: tuple[Finding, ...] = ()
    broken_plans: frozenset[str] = frozenset()
    """Paths of plan files that cannot be read: such a plan is held back, not removed."""
    lost: frozenset[Ref] = frozenset()
    """DocType and segment of what could not be read, itself or what is above or below it."""


@dataclass(slots=True)
class _Assembly:
    places: dict[str, Place] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def with_packed_rows(file: ParsedFile) -> ParsedFile:
    """Return a lesson's file with its rows read and packed, unless anything is wrong with them."""
    place = place_of(file.path)
    if place is None or place.doctype != LESSON or file.mapping is None:
        return file
    faults: list[Fault] = []
    rows = read_rows(DOCTYPES[LESSON], file.mapping, faults)
    if faults or not rows:
        return file
    try:
        small = PackedRows.of(rows)
    except ValueError:  # nested too deeply
        return file
    rest = {key: value for key, value in file.mapping.items() if key not in rows}
    return ParsedFile(file.path, rest, rows=small)


def assemble(files: Iterable[ParsedFile], extra: ExtraFields) -> Loaded:
    """Arrange parsed files into a snapshot; every problem becomes a finding."""
    return assemble_ordered(sorted(files, key=lambda file: reading_order(file.path)), extra)


def reading_order(path: str) -> tuple[int, bool, str]:
    """Return what files are read in the order of: each one after those above it."""
    return (path.count("/"), not path.rpartition("/")[2].startswith("_"), path)


def assemble_ordered(files: Iterable[ParsedFile], extra: ExtraFields) -> Loaded:
    """Arrange files that come in `reading_order`; none of them is kept as it was parsed."""
    assembly = _Assembly()
    for file in files:
        if place := place_of(file.path):
            assembly.places[file.path] = place
        _admit(assembly, file, extra)
    placed = _unique(assembly)
    snapshot = grow(placed.values())
    _check_places(assembly, snapshot, placed)
    _add_missing_parents(assembly)
    broken = {
        path
        for path, place in assembly.places.items()
        if place.doctype == PLAN and path not in assembly.documents
    }
    return Loaded(snapshot, tuple(assembly.findings), frozenset(broken), _lost(assembly))


def _lost(assembly: _Assembly) -> frozenset[Ref]:
    unread = (place for path, place in assembly.places.items() if path not in assembly.documents)
    lost = (*unread, *_missing(assembly.places).values())
    around = (near for place in lost for near in (place, *(one for _, one in _above(place))))
    return frozenset((place.doctype, place.segment) for place in around)


def _admit(assembly: _Assembly, file: ParsedFile, extra: ExtraFields) -> None:
    """Read one file into a document, or into findings."""
    place = assembly.places.get(file.path)
    if place is None:
        message = "the snapshot's layout has no place for this file"
        hint = "move it out of the snapshot folder, or to where its kind of document belongs"
        assembly.findings.append(Finding("E102", file.path, message, hint))
        return
    if file.mapping is None:
        assembly.findings.append(_unreadable(assembly, file, place))
        return
    parent = _parent_name(assembly, place)
    doctype = DOCTYPES[place.doctype]
    extras = extra.get(doctype.name, ())
    document, faults = parse_mapping(doctype, file.mapping, parent, extras, file.rows)
    if faults and _lacks_publishing(doctype, file.mapping):
        faults = (*faults, Fault(("is_published",), "`is_published` is missing; is it misspelt?"))
    for fault in faults:
        assembly.findings.append(_schema_finding(assembly, file.path, fault, document))
    if document and (parent is not None or place.orphan or not doctype.parent):
        assembly.documents[file.path] = packed(document) if place.doctype == LESSON else document


def _lacks_publishing(doctype: DocType, mapping: Mapping[str, Json]) -> bool:
    """Tell whether a slip of the pen may have taken this one field, and so the document, away."""
    declared = any(column.name == "is_published" for column in doctype.fields)
    return declared and "is_published" not in mapping


def _unreadable(assembly: _Assembly, file: ParsedFile, place: Place) -> Finding:
    hint = (
        "mend the YAML, or find a good version with `git log -- FILE` and bring it back with "
        "`git checkout COMMIT -- FILE`"
    )
    return Finding(
        "E101",
        file.path,
        file.problem,
        hint,
        line=file.line,
        ref=_named(place),
        anchors=_anchors(assembly, place),
    )


def _schema_finding(
    assembly: _Assembly, path: str, fault: Fault, document: Document | None
) -> Finding:
    """Return a fault as a finding: in the document, and in what is above it if that may hide it."""
    own = (document.ref,) if document else ()
    above = _anchors(assembly, assembly.places[path]) if fault.pointer in UNREAD else ()
    hint = "correct the field; a snapshot from the database writes it right by itself"
    return Finding(
        "E103",
        path,
        fault.message,
        hint,
        pointer=fault.pointer,
        ref=document.ref if document else None,
        anchors=(*above, *own),
    )


def _parent_name(assembly: _Assembly, place: Place) -> str | None:
    if place.parent_path is None:
        return None
    parent = assembly.documents.get(place.parent_path)
    return parent.name if parent else None


def _anchors(assembly: _Assembly, place: Place) -> tuple[Ref, ...]:
    """Return the nearest readable ancestor of a file, or the document that its path names."""
    top = place
    for path, above in _above(place):
        if parent := assembly.documents.get(path):
            return (parent.ref,)
        top = above
    return (_named(top),)


def _above(place: Place) -> Iterator[tuple[str, Place]]:
    """Yield the paths and places of a file's ancestors, from its parent upwards."""
    path = place.parent_path
    while path and (found := place_of(path)):
        yield path, found
        path = found.parent_path


def _named(place: Place) -> Ref:
    """Return what a path names; not its name where the segment was cut or normalised."""
    return (place.doctype, unquote(place.segment))


def _unique(assembly: _Assembly) -> dict[str, Document]:
    """Return the documents by path, each document once; a second file of one is `E102`."""
    first: dict[Ref, str] = {}
    unique: dict[str, Document] = {}
    for path, document in assembly.documents.items():
        earlier = first.setdefault(document.ref, path)
        if earlier == path:
            unique[path] = document
            continue
        message = f"{document.name} also stands in {earlier}: a document has one file"
        hint = "delete the one that is wrong"
        anchors = (document.ref, *_anchors(assembly, assembly.places[path]))
        assembly.findings.append(
            Finding("E102", path, message, hint, ref=document.ref, anchors=anchors)
        )
    return unique


def _check_places(assembly: _Assembly, snapshot: Snapshot, placed: Mapping[str, Document]) -> None:
    """Report documents that stand where another name belongs, and segments that clash."""
    clashing = {ref for group in snapshot.clashes for ref in group}
    for path, document in placed.items():
        expected = snapshot.paths.get(document.ref, path)
        if expected != path and document.ref not in clashing and not _inherits(path, expected):
            message = f"{document.name} belongs in {expected}"
            hint = "rename the file, or correct its `name`"
            assembly.findings.append(
                Finding(
                    "E102",
                    path,
                    message,
                    hint,
                    pointer=("name",),
                    ref=document.ref,
                    anchors=(document.ref,),
                )
            )
    actual = {document.ref: path for path, document in placed.items()}
    for group in snapshot.clashes:
        assembly.findings.extend(_clash_findings(group, actual))


def _inherits(path: str, expected: str) -> bool:
    """Tell whether only the folders above differ: then the parent is the one to report."""
    own = _own_part(path)
    return own == _own_part(expected) and path.count("/") == expected.count("/")


def _own_part(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[-2:]) if parts[-1].startswith("_") else parts[-1]


def _clash_findings(group: tuple[Ref, ...], actual: Mapping[Ref, str]) -> Iterator[Finding]:
    for ref in group:
        others = ", ".join(repr(name) for _, name in group if name != ref[1])
        message = f"the name {ref[1]!r} cannot be told from {others} in paths and keys"
        hint = "rename one of the documents in Frappe so that they differ by more than case or form"
        yield Finding("E107", actual[ref], message, hint, ("name",), ref=ref, anchors=group)


def _add_missing_parents(assembly: _Assembly) -> None:
    """Report each missing `_track.yaml` (or subject, unit, topic) once."""
    for path, place in sorted(_missing(assembly.places).items()):
        label = DOCTYPES[place.doctype].label
        message = f"the {label}'s own file is missing, but files stand below it"
        hint = "restore it, or delete the folder; a full snapshot mends both"
        anchors = _anchors(assembly, place)
        found = Finding("E104", path, message, hint, line=1, ref=_named(place), anchors=anchors)
        assembly.findings.append(found)


def _missing(places: Mapping[str, Place]) -> dict[str, Place]:
    """Return the ancestors' files that are not there, by path."""
    missing = {}
    for place in places.values():
        if place.parent_path in places:
            continue
        for path, above in _above(place):
            if path in places:
                break
            missing[path] = above
    return missing
