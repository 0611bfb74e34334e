"""browser.py - Chromium without a screen, led by its DevTools protocol over two pipes.

One is started for all pages of a test: that takes longer than a page.  What pages say on
their console, or ask of the network, is kept in `said`.
"""
import base64
import fcntl
import json
import os
import subprocess

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--mute-audio",
             "--proxy-server=127.0.0.1:9", "--remote-debugging-pipe"]


class Browser:
    """folder: of its own.  The browser reads descriptor 3 and writes to 4."""

    def __init__(self, folder):
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            ["chromium", *ARGUMENTS, f"--user-data-dir={folder}"], preexec_fn=place, pass_fds=(3, 4),
            env=dict(os.environ, HOME=folder), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(f"{folder}.log", "w"))
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        self.rest, self.number, self.said, self.events, self.session = b"", 0, [], [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for name in ("Page", "Runtime", "Log", "Network"):
            self.ask(name + ".enable")

    def close(self):
        self.session = None
        self.ask("Browser.close")
        self.process.wait(60)

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.back, 1 << 20)
            if not more:
                raise EOFError("the browser is gone")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def note(self, event):
        name, given = event.get("method"), event.get("params", {})
        self.events.append(name)
        if name == "Runtime.exceptionThrown":
            self.said.append(given["exceptionDetails"]["exception"].get("description"))
        elif name == "Runtime.consoleAPICalled":
            self.said.append(str(given["args"]))
        elif name == "Log.entryAdded":
            self.said.append(given["entry"]["text"])
        elif name == "Network.requestWillBeSent" and not given["request"]["url"].startswith(("file:", "about:")):
            self.said.append("it asks for " + given["request"]["url"])

    def ask(self, method, **given):
        self.number += 1
        message = {"id": self.number, "method": method, "params": given}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "result" in answer, (method, answer)
                return answer["result"]
            self.note(answer)

    # --- pages ------------------------------------------------------------------------

    def open(self, url, width=1200, height=1000, colours="light"):
        """Until it is loaded and has drawn."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])
        for there in ("about:blank", url):  # the first one's end must not be taken for the second's
            self.events = []
            self.ask("Page.navigate", url=there)
            while "Page.loadEventFired" not in self.events:
                self.note(self.receive())
        self.settle()

    def settle(self):
        """Two frames: what was asked for in the first is drawn in the second."""
        self.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def js(self, expression):
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, name=None):
        """All that is written in the element of that id, or on the page, without line ends."""
        where = f"document.getElementById({json.dumps(name)})" if name else "document.body"
        return " ".join(self.js(f"{where}.innerText").split())

    def mouse(self, kind, x, y, **given):
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **given)

    def screenshot(self, name):
        height = self.js("document.documentElement.scrollHeight")
        width = self.js("innerWidth")
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True,
                        clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
        with open(name, "wb") as file:
            file.write(base64.b64decode(shot["data"]))

    def pdf(self):
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])
