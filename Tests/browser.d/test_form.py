"""How the page is made, and for whom."""

import re
from pathlib import Path

import pytest
from running import HOSTILE

SOURCE = Path(__file__).parents[2] / "Sources/Admin/page/index.html"

# Text nodes in sight whose contrast with what is behind them is less than WCAG's AA asks for.
PALE = """
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true})
    const read = colour => {
        canvas.clearRect(0, 0, 1, 1)
        canvas.fillStyle = colour
        canvas.fillRect(0, 0, 1, 1)
        return canvas.getImageData(0, 0, 1, 1).data
    }
    const light = ([red, green, blue]) => [red, green, blue].map(part => part / 255)
        .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0)
    const behind = node => {
        const colour = getComputedStyle(node).backgroundColor
        return read(colour)[3] === 255 ? colour : behind(node.parentElement)
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const pale = []
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement
        if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('script, .new')) continue
        const [one, other] = [light(read(getComputedStyle(node).color)), light(read(behind(node)))]
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)
        if (contrast < 4.5) pale.push(`${walker.currentNode.data.trim()}: ${contrast}`)
    }
    return pale
"""


def test_the_source():
    text = SOURCE.read_text()
    assert len(text.encode()) < 50_000
    assert len(re.findall("<style>", text)) == len(re.findall("<script>", text)) == 1
    # Nothing makes markup of text, no style or handler needs a hole in the content security policy, and nothing is
    # loaded from elsewhere.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|\.srcdoc", text)
    assert not re.search(r"""\s(on[a-z]+|style)=["']""", text)
    assert set(re.findall(r"https?://[^'\"\s]+", text)) == {"http://www.w3.org/2000/svg"}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 900, 1280])
def test_it_is_readable(page, site, tmp_path, width, dark):
    long = "k" * 300
    site.sql(f"""
        insert into users values ('{long}') on conflict (id) do update set name = users.name || 'x';
        update "{HOSTILE}" set name = name || 'x';
        update lines set quantity = quantity + 1 where id = 'evil'
    """)
    page.open(width, dark)
    page.wait_for("#rows", long)
    page.wait_for("#letter-list", "invalid input syntax")
    sideways = "return [...document.querySelectorAll('html, #rows')].some(node => node.scrollWidth > node.clientWidth)"
    assert not page.browser.run(sideways)
    assert page.browser.run(PALE) == []
    picture = tmp_path / "page.png"
    page.browser.screenshot(picture)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_everything_has_a_name(page, site):
    site.sql("update lines set quantity = quantity + 1 where id = 'evil'")
    page.wait_for("#letter-list", "invalid input syntax")
    parts = page.browser.all("button, input, select, [tabindex='0'], section")
    shown = [part for part in parts if part.is_shown]
    assert len(shown) > 15
    assert [part.reference for part in shown if not part.label] == []
    landmarks = page.browser.run("return [...document.body.children].map(node => node.localName)")
    assert {"header", "main", "footer"} <= set(landmarks)
    levels = page.browser.run("""
        const headings = [...document.querySelectorAll('h1, h2, h3')].filter(node => node.checkVisibility())
        return headings.map(node => Number(node.localName[1]))
    """)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
