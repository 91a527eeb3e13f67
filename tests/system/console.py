"""The console in a real browser: its pages, pictures of them, and the checks of every picture."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.paths import ROOT

PICTURES = ROOT / "test-output" / "console"
WIDTHS = {1280: 900, 390: 844, 1920: 1080}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Every movement of content that no input caused, from the start of a page.
WATCH_SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value);
  }).observe({type: 'layout-shift', buffered: true});
}"""
MOST_SHIFT = 0.01
# Texts and controls that overlap, and content wider than the window. What a box scrolls counts only where the box shows it, and
# a text of several lines has a box for each.
_OVERLAPS = """() => {
  const lines = (one) => [...one.getClientRects()].map((line) => visible(one, line));
  const visible = (one, line) => {
    let {left, top, right, bottom} = line;
    for (let box = one.parentElement; box && box !== document.body; box = box.parentElement) {
      if (!/auto|scroll/.test(getComputedStyle(box).overflow)) continue;
      const limit = box.getBoundingClientRect();
      [left, top] = [Math.max(left, limit.left), Math.max(top, limit.top)];
      [right, bottom] = [Math.min(right, limit.right), Math.min(bottom, limit.bottom)];
    }
    return {left, top, right, bottom};
  };
  const shown = [...document.querySelectorAll('body *')].filter((one) => {
    const box = one.getBoundingClientRect();
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const open = document.querySelector('dialog[open]');
    return (text || ['INPUT', 'SELECT', 'BUTTON'].includes(one.tagName)) && box.width > 1 && box.height > 1
      && one.checkVisibility({visibilityProperty: true}) && box.right > 0 && one.tagName !== 'OPTION'
      && (!open || open.contains(one));
  });
  const found = [];
  for (const [index, first] of shown.entries()) {
    const boxes = lines(first);
    if (boxes.some((box) => box.right > innerWidth + 1)) found.push(`${first.textContent.trim().slice(0, 40)} is cut off`);
    for (const second of shown.slice(index + 1)) {
      if (first.contains(second) || second.contains(first)) continue;
      const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
      const others = lines(second);
      if (boxes.some((a) => others.some((b) => overlap(a, b))))
        found.push(`${first.textContent.trim().slice(0, 40)} / ${second.textContent.trim().slice(0, 40)}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push('the page scrolls sideways');
  return found;
}"""


@dataclass
class Console:
    """One page of the console, and the folder for its pictures."""

    page: Page
    edge: str
    errors: list[str]

    async def sign_in(self, token: str) -> None:
        await self.page.goto(f"{self.edge}/#token={token}")
        await self.confirm_link()
        await self.page.locator("#board").wait_for()
        await self.page.locator("#loading").wait_for(state="hidden")

    async def confirm_link(self) -> None:
        """Confirm that the link's user is the one at this screen."""
        await self.page.get_by_role("dialog", name="Sign in by this link?").wait_for()
        await self.page.get_by_role("button", name="Sign in as this user").click()

    async def picture(self, name: str, *, full_page: bool = True) -> None:
        """Take pictures at all widths, light and dark; assert that nothing overlaps and that axe finds nothing."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        for width, height in WIDTHS.items():
            await self.page.set_viewport_size({"width": width, "height": height})
            overlaps = await self.page.evaluate(_OVERLAPS)
            assert overlaps == [], f"{name} at {width}: {overlaps}"
            for scheme in ("light", "dark"):
                await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                await self.page.screenshot(path=PICTURES / f"{name}-{width}-{scheme}.png", full_page=full_page)
                found = await Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
                assert found.violations_count == 0, f"{name} at {width} {scheme}: {found.generate_report()}"
        await self.page.set_viewport_size({"width": 1280, "height": 900})


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run Debian's Chromium."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        try:
            yield launched
        finally:
            await launched.close()


@asynccontextmanager
async def console(running: Browser, edge: str) -> AsyncIterator[Console]:
    """Open a new window; an error of its scripts or a violation of its policy fails the test."""
    context = await running.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    page.set_default_timeout(15_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    try:
        yield Console(page, edge, errors)
    finally:
        await context.close()
    assert errors == []
