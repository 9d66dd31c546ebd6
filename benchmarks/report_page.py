"""How fast is report.html of a run with 50,000 findings? `python benchmarks/report_page.py --json figures.json`.

A real `certstate validate` reads a file whose every row has five mistakes. Its report is opened in Chromium again and
again, each time in a new window: when is something painted, when are the rows there, and how long do a filter, an
order and a search take until the next frame?
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from pipeline import __version__
from pipeline.editions import EDITIONS

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
CONFIG = "tenant: {id: 7a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d}\nprofiles: []\n"
FINDINGS_A_ROW = 5

WATCH = """
new MutationObserver(() => {
  if (document.documentElement?.dataset.rows === "ready") window.readyAt ??= performance.now();
}).observe(document, { attributes: true, childList: true, subtree: true, attributeFilter: ["data-rows"] });
"""

ACT = """async ([selector, value]) => {
  const element = document.querySelector(selector);
  const began = performance.now();
  if (element.form) {
    element.value = value;
    element.form.requestSubmit();
  } else element.click();
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - began;
}"""


def write_inventory(path: Path, rows: int) -> None:
    """Write rows with five mistakes each, most values different."""
    with path.open("w", encoding="utf-8", newline="") as file:
        header = [each.name for each in EDITIONS["1706"].properties]
        writer = csv.DictWriter(file, header)
        writer.writeheader()
        for number in range(1, rows + 1):
            writer.writerow(
                {
                    "devicePlatform": f"Blackberry {number % 7}",
                    "certificateKeyUsage": f"cRLSign {number % 3}",
                    "certificateProfileDisplayName": "Corp SCEP",
                    "deviceDisplayName": f"PHONE-{number:06}",
                    "userDisplayName": f"User {number}",
                    "serverUrl": f"ndes{number % 5}.contoso.com",
                    "certificateExpirationDateTime": f"{number % 28 + 1:02}.02.2027 soon",
                    "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13Z",
                    "certificateIssuer": "CN=Contoso Issuing CA",
                    "certificateThumbprint": f"{number:040X}",
                    "certificateSerialNumber": f"4A{number:06X}",
                    "certificateKeyLength": f"{number % 4096} bits long",
                    "enhancedKeyUsage": "Client Authentication",
                }
            )


def write_report(folder: Path, rows: int) -> Path:
    """Check a file of so many rows with the program itself and return report.html."""
    write_inventory(folder / "inventory.csv", rows)
    (folder / "config.yaml").write_text(CONFIG, "utf-8")
    subprocess.run(
        [sys.executable, "-m", "pipeline", "--config", "config.yaml", "validate", "inventory.csv"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,  # rows with errors are what it is to find
    )
    [report] = folder.glob("runs/*/report.html")
    return report


def measure(browser: Browser, report: Path) -> dict[str, float]:
    """Open the report in a new window and return the times in milliseconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(report.as_uri())
    page.locator("html[data-rows=ready]").wait_for()
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    times = {"first paint": paint, "rows ready": page.evaluate("window.readyAt")}
    times["filter"] = act(page, "#filter-code", "not-a-url")
    page.locator("#reset").click()
    times["sort by row"] = act(page, "th.of-row button")
    times["sort by value"] = act(page, "th.of-value button")
    times["search"] = act(page, "#filter-q", "phone-0077")
    context.close()
    return times


def act(page: Page, selector: str, value: str = "") -> float:
    """Press the button, or put the value into the field; return the milliseconds until that has been painted."""
    took: float = page.evaluate(ACT, [selector, value])
    return took


def main() -> int:
    """Write the report, measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--findings", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--report", type=Path, help="measure this report.html instead of making one")
    parser.add_argument("--json", type=Path, help="write the figures there")
    asked = parser.parse_args()
    path = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if path is None:
        print("No Chromium is installed here.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="report-page-") as name, sync_playwright() as playwright:
        began = time.monotonic()
        report = asked.report or write_report(Path(name), asked.findings // FINDINGS_A_ROW)
        took_s = time.monotonic() - began
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        runs = [measure(browser, report.resolve()) for _ in range(asked.runs)]
        version = browser.version
        browser.close()
        size = report.stat().st_size
    figures: dict[str, object] = {f"{name}, ms": round(median(each[name] for each in runs), 1) for name in runs[0]}
    figures |= {"file, KB": round(size / 1_000), "runs": asked.runs, "validate, s": round(took_s, 1)}
    figures |= {"browser": f"Chromium {version}", "system": platform.platform(), "certstate": __version__}
    print("\n".join(f"{name:>18}  {value}" for name, value in figures.items()))
    if asked.json:
        asked.json.write_text(json.dumps(figures | {"each run, ms": runs}, indent=2) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
