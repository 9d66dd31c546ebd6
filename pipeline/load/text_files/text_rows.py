"""The rows of a text file, piece by piece as long as each line is one record, and from there on one by one."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.load.table import Chunk, Origin, changed, chunked, is_report, reading
from pipeline.load.text_files.dialect import Layout
from pipeline.load.text_files.pieces import Chunks, chunks_of, cut_pieces, is_cut_at_bytes, read_piece
from pipeline.load.text_files.records import read_records


@dataclass(frozen=True, slots=True)
class TextRows:
    """Where the rows of a text file are. Plain data, so that another process can read a piece of them."""

    path: Path
    layout: Layout
    header: tuple[str, ...]  # as the file spells it, up to its last cell with content
    header_row_number: int
    chunk_rows: int
    state: tuple[int, int]  # of the file when it was opened, as `state_of` returns it

    def chunks(self) -> Iterator[Chunk]:
        """Yield the rows below the header. Raises SourceError."""
        blank_rows = 0
        for origin, data in self._pieces():
            found = self._chunks_in(origin, data)
            if found is None:
                yield from self.chunks_from(origin, blank_rows)
                return
            yield from found.chunks_after(blank_rows)
            blank_rows = found.blank_rows_after(blank_rows)
        if not self.is_in_pieces:
            start = Origin(self.path, self.layout.start, 0, 1, 0, self.layout.encoding, self.layout.delimiter)
            yield from self.chunks_from(start, 0)

    @property
    def is_in_pieces(self) -> bool:
        """Whether the file can be cut at its line ends, and no cell has to be unmasked."""
        return not is_report(self.header) and is_cut_at_bytes(self.layout.encoding)

    def pieces(self) -> Iterator[Origin]:
        """Yield where the file's pieces are, its title and header among them; none of a file that cannot be cut.

        Raises SourceError, at the end when the file was written to meanwhile.
        """
        return (origin for origin, _ in self._pieces())

    def _pieces(self) -> Iterator[tuple[Origin, bytes]]:
        if not self.is_in_pieces:
            return
        first_row = 1
        encoding, delimiter = self.layout.encoding, self.layout.delimiter
        with reading(self.path):
            for start, data in cut_pieces(self.path, self.layout.start):
                lines = data.count(b"\n") + (not data.endswith(b"\n"))
                yield Origin(self.path, start, len(data), first_row, lines, encoding, delimiter), data
                first_row += lines
            if state_of(self.path) != self.state:
                raise SourceError(changed(self.path))

    def chunks_in(self, piece: Origin) -> Chunks | None:
        """Return the piece's rows below the header; None when it is not proven that each of its lines is a record.

        Raises SourceError when the file is not in its encoding any more.
        """
        with reading(self.path), self.path.open("rb") as file:
            file.seek(piece.start)
            return self._chunks_in(piece, file.read(piece.size))

    def _chunks_in(self, piece: Origin, data: bytes) -> Chunks | None:
        try:
            rows = read_piece(data, piece, len(self.header))
        except UnicodeDecodeError as exc:  # the file was looked through when it was opened
            raise SourceError(changed(self.path)) from exc
        return rows and chunks_of(rows, piece, self.header_row_number, self.chunk_rows)

    def chunks_from(self, piece: Origin, blank_rows: int) -> Iterator[Chunk]:
        """Yield the rows from the beginning of the piece to the file's end; `blank_rows` came right before it.

        Raises SourceError, at the end when the file was written to meanwhile.
        """
        layout = self.layout._replace(start=piece.start)
        width = len(self.header)
        records = read_records(self.path, layout, width, first_row=piece.first_row, chunk_rows=self.chunk_rows)
        below = (record for record in records if record.row_number > self.header_row_number)
        for chunk in chunked(below, self.header, self.chunk_rows):
            yield replace(chunk, blank_rows=chunk.blank_rows + blank_rows) if blank_rows else chunk
            blank_rows = 0
        with reading(self.path):
            if state_of(self.path) != self.state:
                raise SourceError(changed(self.path))


def state_of(path: Path) -> tuple[int, int]:
    """Return the file's size in bytes and when it was last written to, in nanoseconds. Raises OSError."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns
