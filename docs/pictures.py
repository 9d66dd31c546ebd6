"""Make the pictures in docs/pictures/ anew, from what the program writes today: `python docs/pictures.py`.

sample_data goes into the simulator, as `certstate demo` does it; then an export with mistakes is imported night by
night, for the page of the trend. The nights are minutes in truth: their dates are set afterwards in history.jsonl. The
pictures are taken with Chromium and, of errors.xlsx, with LibreOffice; without that its picture is left as it is. Needs
a pseudo terminal, so not Windows.
"""

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from openpyxl import load_workbook
from openpyxl.worksheet.page import PageMargins
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.text import Text

from pipeline.report import HISTORY_FILE, read_history, write_trend
from pipeline.simulator import SimulatorSettings, running

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
WIDTH = 80
"""Columns of the terminal."""

QUICK = "  quota: 1000/1s\n  settle_s: 0.1\n"
IN_PICTURE = (
    "devicePlatform",
    "certificateKeyUsage",
    "certificateExpirationDateTime",
    "_import_row",
    "_import_message",
)
LAST_NIGHT = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Night(NamedTuple):
    """One import of the same file."""

    rows: int
    without_offset: int  # rows whose expiry tells no offset from UTC
    unknown: int  # rows with a platform that the API does not know


NIGHTS = (
    Night(150, 26, 9),
    Night(158, 26, 9),
    Night(163, 27, 9),
    Night(177, 27, 9),
    Night(184, 12, 9),
    Night(190, 12, 10),
    Night(203, 12, 10),
    Night(212, 0, 4),
)
"""The team that owns the export mends it step by step."""


def call(folder: Path, *words: str) -> None:
    """Call the program in the folder; that rows have errors is what is to be seen."""
    subprocess.run([sys.executable, "-m", "pipeline", *words], cwd=folder, env=environ(), check=False)


def environ() -> dict[str, str]:
    """Return the environment of the program: that of a terminal of 80 columns with colours."""
    told = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    return told | {"PYTHONPATH": str(ROOT), "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}


def printed(folder: Path, *words: str) -> str:
    """Call the program in the folder and return what it prints into a terminal on stdout."""
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *words], cwd=folder, env=environ(), stdout=its, stderr=subprocess.DEVNULL
    ):
        os.close(its)
        read = b""
        with suppress(OSError):  # how Linux tells that the other end is closed
            while piece := os.read(ours, 65_536):
                read += piece
    os.close(ours)
    return read.decode("utf-8").replace("\r\n", "\n")


def write_export(path: Path, night: Night) -> None:
    """Write the first rows of the sample inventory, some of them with mistakes, evenly spread."""
    with (ROOT / "sample_data" / "inventory.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))[: night.rows]
    for row in rows[0 : night.without_offset * 5 : 5]:
        row["certificateExpirationDateTime"] = row["certificateExpirationDateTime"][:19]
    for row in rows[2 : night.unknown * 5 : 5]:
        row["devicePlatform"] = "Chrome OS"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def nightly(folder: Path) -> str:
    """Import the export of each night, write the page of the trend, and return what the last import printed."""
    config = (ROOT / "sample_data" / "config.yaml").read_text("utf-8")
    output = ""
    with running(SimulatorSettings(quota=1_000, window_s=1.0)) as simulator:
        at_simulator = re.sub(r"(graph_url:) \S+", rf"\1 {simulator.service_root}", config)
        (folder / "config.yaml").write_text(at_simulator + QUICK, "utf-8")
        for night in NIGHTS:
            write_export(folder / "export.csv", night)
            output = printed(folder, "import", "export.csv", "--yes")
    history = folder / "runs" / HISTORY_FILE
    documents = [json.loads(line) for line in history.read_text("utf-8").splitlines()]
    for number, document in enumerate(documents, 1 - len(documents)):
        started = LAST_NIGHT + timedelta(days=number)
        document["run"] |= {
            "started_at": started.isoformat(),
            "ended_at": (started + timedelta(seconds=48)).isoformat(),
        }
    history.write_text("".join(f"{json.dumps(each)}\n" for each in documents), "utf-8")
    write_trend(folder / "runs" / "index.html", read_history(history), now=LAST_NIGHT + timedelta(minutes=1))
    return output


def write_terminal(output: str) -> None:
    """Draw what was printed, in the colours in which it was."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(output.strip("\n")), soft_wrap=True)
    text = console.export_svg(title="certstate import export.csv", unique_id="terminal")
    without_fonts = re.sub(r"@font-face \{.*?\}\s*", "", text, flags=re.DOTALL)  # those would come from the network
    (PICTURES / "terminal.svg").write_text(without_fonts, "utf-8")


def take(
    browser: Browser, name: str, page_file: Path, *, part: str = "", opens: str = "", phone: bool = False, scheme: str
) -> None:
    """Take a picture of the page from the heading `part` on, with the line of the row `opens` opened."""
    page = browser.new_page(viewport=PHONE if phone else DESKTOP, color_scheme="dark" if scheme == "dark" else "light")
    page.goto(page_file.as_uri())
    if page.locator("html.has-script").count():
        page.locator("html[data-rows=ready]").wait_for()
    if opens:
        page.locator(".open", has_text=opens).first.click()
    if part:
        page.locator(part).evaluate("(element) => element.scrollIntoView()")
    page.screenshot(path=PICTURES / name)
    page.close()


def take_workbook(folder: Path, workbook: Path) -> None:
    """Take a picture of the first sheet as LibreOffice prints it, without the columns that would make it too wide."""
    if not (shutil.which("soffice") and shutil.which("pdftoppm")):
        print("errors-xlsx.png is left as it is: soffice (LibreOffice) or pdftoppm is not installed here")
        return
    book = load_workbook(workbook)
    sheet = book.worksheets[0]
    for [head] in sheet.iter_cols(max_row=1):
        sheet.column_dimensions[head.column_letter].hidden = head.value not in IN_PICTURE
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_margins = PageMargins(left=0.1, right=0.1, top=0.1, bottom=0.1, header=0, footer=0)
    sheet.print_options.gridLines = True
    narrow = folder / "errors.xlsx"
    book.save(narrow)
    profile = f"-env:UserInstallation={(folder / 'profile').as_uri()}"
    convert = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(narrow)]
    subprocess.run(convert, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first_page = ["-r", "120", "-f", "1", "-l", "1", "-singlefile", "-W", "1308", "-H", "345", "-png"]
    draw = ["pdftoppm", *first_page, str(narrow.with_suffix(".pdf")), str(PICTURES / "errors-xlsx")]
    subprocess.run(draw, check=True)


def main() -> int:
    """Make all pictures and print their sizes."""
    path = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if path is None:
        print("No Chromium is installed here.", file=sys.stderr)
        return 2
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pictures-") as name:
        folder = Path(name)
        samples = shutil.ignore_patterns("runs", "state")
        shutil.copytree(ROOT / "sample_data", folder / "sample_data", ignore=samples)
        call(folder, "demo")
        [report] = folder.glob("sample_data/runs/*/report.html")
        (folder / "nights").mkdir()
        write_terminal(nightly(folder / "nights"))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            for scheme in ("light", "dark"):
                take(browser, f"report-desktop-{scheme}.png", report, scheme=scheme)
                take(browser, f"report-phone-{scheme}.png", report, phone=True, scheme=scheme)
            take(browser, "report-causes.png", report, part="#causes", scheme="light")
            take(browser, "report-rows.png", report, part="#rows", opens="row 3", scheme="light")
            take(browser, "trend.png", folder / "nights" / "runs" / "index.html", scheme="light")
            browser.close()
        take_workbook(folder, report.with_name("errors.xlsx"))
    for picture in sorted(PICTURES.iterdir()):
        print(f"{picture.stat().st_size / 1_000:>6,.0f} KB  {picture.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
