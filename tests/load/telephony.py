#!/usr/bin/env python3
"""Telephone load against jiesu, or against any other server that offers the same numbers (see README.md).

    telephony.py                       every measurement, against target/release/jiesu
    telephony.py signalling playback   only these
    telephony.py --list                what there is
    telephony.py --server 127.0.0.1:5060 --pid 4711 --agent 5070 playback
                                       against a server that runs already; its CPU time is read from /proc

Prints a line a figure. It fails when calls fail that should not, or sound is lost; never because of a time.
"""
import argparse
import csv
import json
import math
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import wave

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOKEN = "load-token-4c1f9b27"
TICKS = os.sysconf("SC_CLK_TCK")
PROMPT_SECONDS = 20
# CPU milliseconds of Asterisk 22 (chan_pjsip) in the same scenarios on two shared cores, from the issue.
ASTERISK = {"signalling": 0.62, "playback": 1.9, "recorded": 3.2}


class Server:
    """The server under load: started by us with the load configuration, or running already."""

    def __init__(self, options, folder):
        self.folder = folder
        self.process = None
        self.agent = options.agent
        if options.server:
            host, port = options.server.rsplit(":", 1)
            self.host, self.sip, self.pid, self.http, self.metrics_port = host, int(port), options.pid, None, None
            return
        self.host, self.sip = "127.0.0.1", 25060
        self.http, self.metrics_port = 25080, 25464
        text = (HERE / "jiesu.toml").read_text()
        for word, value in [("FOLDER", folder), ("HTTP", self.http), ("METRICS", self.metrics_port),
                            ("AGENT", self.agent), ("SIP", self.sip)]:
            text = text.replace(f"127.0.0.1:{word}", f"127.0.0.1:{value}").replace(f"{word}/", f"{value}/")
        configuration = folder / "jiesu.toml"
        configuration.write_text(text)
        write_prompt(folder / "prompts" / "twenty_seconds.wav")
        binary = options.binary or os.environ.get("JIESU_BIN") or ROOT / "target/release/jiesu"
        log = open(folder / "log", "wb")
        self.process = subprocess.Popen([binary, "serve", "--config", configuration], stderr=log,
                                        env={**os.environ, "JIESU_LOG": "warn"})
        self.pid = self.process.pid
        self.wait_ready()

    def wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                sys.exit(f"the server ended:\n{(self.folder / 'log').read_text()[-2000:]}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.http}/readyz", timeout=5)
                return
            except OSError:
                time.sleep(0.05)
        sys.exit("the server was not ready within a minute")

    def cpu(self):
        return cpu_of(self.pid)

    def resident(self):
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) * 1024
        return 0

    def metrics(self):
        """Metric name with labels -> value."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).read().decode()
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def settled(self, what, wanted, seconds=120):
        """Waits until a condition over the metrics holds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if wanted(self.metrics()):
                return
            time.sleep(0.1)
        sys.exit(f"waited {seconds} s in vain: {what}")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


def cpu_of(pid):
    """User and system time of a process so far, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def udp_drops():
    """Datagrams this machine's sockets had no room for so far, whosever they are."""
    names, values = [line.split() for line in pathlib.Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(values[names.index("RcvbufErrors")])


def write_prompt(path):
    """Twenty seconds of a tone that wanders, so that it is sound and not silence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(8000)
        steps = range(8000 * PROMPT_SECONDS)
        out.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i * (0.3 + i / 4e6)))) for i in steps))


class Sipp:
    """One sipp process."""

    ports = iter(range(26000, 27000, 4))

    def __init__(self, folder, scenario, remote, *arguments, port=None):
        port = port or next(self.ports)
        self.name = f"{pathlib.Path(scenario).stem}-{port}"
        self.stat = folder / f"{self.name}.csv"
        self.errors = folder / f"{self.name}.errors"
        self.out = folder / f"{self.name}.out"
        command = ["sipp", *remote, "-sf", HERE / "scenarios" / f"{scenario}.xml", "-i", "127.0.0.1", "-p", str(port),
                   "-cp", str(port + 1), "-nostdin", "-buff_size", "4194304", "-trace_err", "-error_file", self.errors, "-trace_stat", "-stf",
                   self.stat, "-fd", "1", *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=folder, stdout=open(self.out, "wb"), stderr=subprocess.STDOUT)

    def wait(self, must=True):
        """The sums of its statistics: successful, failed, retransmissions."""
        status = self.process.wait()
        rows = list(csv.DictReader(open(self.stat), delimiter=";"))
        last = rows[-1] if rows else {}
        count = lambda key: int(last.get(key) or 0)
        sums = {"successful": count("SuccessfulCall(C)"), "failed": count("FailedCall(C)"),
                "retransmissions": count("Retransmissions(C)"), "shed": count("GenericCounter1(C)"), "peak": max((int(r["CurrentCall"]) for r in rows), default=0)}
        if must and (status != 0 or sums["failed"]):
            errors = self.errors.read_text()[:3000] if self.errors.exists() else self.out.read_text()[-1500:]
            sys.exit(f"sipp {self.name}: {sums}, status {status}\n{errors}")
        return sums

    def end(self):
        self.process.send_signal(signal.SIGUSR1)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Rtp:
    """The far ends of all streams."""

    def __init__(self, *ports, silent=False):
        binary = os.environ.get("RTP_PEER") or ROOT / "target/release/rtp_peer"
        command = [binary] + [word for port in ports for word in ("--listen", f"127.0.0.1:{port}")]
        self.process = subprocess.Popen(command + (["--silent"] if silent else []), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def report(self):
        out, _ = self.process.communicate(timeout=60)
        return [json.loads(line) for line in out.splitlines()]


def say(name, text):
    print(f"{name}: {text}", flush=True)


def call_load(server, folder, rate, calls, number="100", transport="u1", most=20000, must=True, stay=0, scenario="caller"):
    return Sipp(folder, scenario, [f"{server.host}:{server.sip}"], "-s", number, "-r", rate, "-m", calls, "-l", most,
                "-t", transport, "-key", "rtp_port", 30000, "-d", stay, "-timeout", 300, "-timeout_error").wait(must)


def signalling(server, folder):
    """CPU a call of pure signalling, over UDP and over one TCP connection, at rising rates; beside sipp's own server."""
    for transport, name, rates in [("u1", "UDP", (1000, 3000, 5000)), ("t1", "TCP, one connection", (1000, 3000))]:
        for rate in rates:
            before, began, dropped = server.cpu(), time.monotonic(), udp_drops()
            sums = call_load(server, folder, rate, rate * 10, transport=transport, must=False)
            took = time.monotonic() - began
            cost = (server.cpu() - before) / max(1, sums["successful"]) * 1e6
            say("signalling", f"{name}, {rate}/s offered, {sums['successful'] / took:.0f}/s done: {sums['successful']} calls, "
                f"{sums['failed']} failed, {sums['shed']} shed, {sums['retransmissions']} retransmissions, {udp_drops() - dropped} datagrams dropped, "
                f"{cost:.0f} us CPU a call ({cost / 1000 / ASTERISK['signalling']:.2f} of Asterisk), "
                f"RSS {server.resident() / 2**20:.0f} MiB")
    # The same load on the smallest server there is tells a slow machine from a slow server.
    reference = subprocess.Popen(["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", "25160", "-nostdin"], cwd=folder,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1)
    for rate in (1000, 3000, 5000):
        before = cpu_of(reference.pid)
        sums = Sipp(folder, "caller", ["127.0.0.1:25160"], "-s", "100", "-r", rate, "-m", rate * 5, "-l", 20000, "-key",
                    "rtp_port", 30000, "-d", 0, "-timeout", 60, "-timeout_error").wait(False)
        cost = (cpu_of(reference.pid) - before) / max(1, sums["successful"]) * 1e6
        say("signalling", f"sipp's own server, UDP, {rate}/s: {sums['successful']} calls, {sums['failed']} failed, "
            f"{sums['retransmissions']} retransmissions, {cost:.0f} us CPU a call")
    reference.kill()


def intake(server, folder):
    """The same with a durable draft before the answer and a record after it."""
    for rate in (500, 1000):
        before = server.cpu()
        sums = call_load(server, folder, rate, rate * 10, number="110100", must=False)
        cost = (server.cpu() - before) / max(1, sums["successful"]) * 1e6
        say("intake", f"{rate}/s: {sums['successful']} calls, {sums['failed']} failed, {sums['retransmissions']} "
            f"retransmissions, {cost:.0f} us CPU a call with its record")


def dialogs(server, folder):
    """Memory of an idle dialog."""
    count = 10000
    call_load(server, folder, 1000, 1000)  # warm: what the first calls allocate once is not theirs
    before = server.resident()
    sipp = Sipp(folder, "caller", [f"{server.host}:{server.sip}"], "-s", "100", "-r", 1000, "-m", count, "-l", count,
                "-key", "rtp_port", 30000, "-d", 60000, "-timeout", 300, "-timeout_error")
    # All stand once ten seconds of a thousand a second are over; forty seconds on, transactions are forgotten.
    time.sleep(10 + 40)
    held = (server.resident() - before) / count
    sipp.wait()
    say("dialogs", f"{count} idle: {held / 1000:.1f} kB each")


def resets(server, folder):
    """500 INVITEs whose connection is reset leave nothing."""
    for _ in range(500):
        stream = socket.create_connection((server.host, server.sip))
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.sendall(invite("100", "TCP", stream.getsockname()[1]))
        stream.close()
    server.settled("calls of reset connections", lambda m: sip_counts(m) == 0)
    say("resets", "500 INVITEs over connections then reset: nothing is left")


def unacknowledged(server, folder):
    """20,000 INVITEs never acknowledged; ordinary calls go on meanwhile."""
    quiet = cost_of(server, folder, 1000, 5000)
    flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.bind(("127.0.0.2", 0))
    for number in range(20000):
        flood.sendto(invite("100", "UDP", flood.getsockname()[1], host="127.0.0.2"), (server.host, server.sip))
        if number % 50 == 0:
            time.sleep(0.005)
    during = cost_of(server, folder, 1000, 5000)
    say("unacknowledged", f"20,000 INVITEs without ACK: ordinary calls cost {during:.0f} us meanwhile, {quiet:.0f} us before")
    server.settled("unacknowledged calls", lambda m: sip_counts(m) == 0)
    say("unacknowledged", "nothing is left")


def cost_of(server, folder, rate, calls):
    before = server.cpu()
    call_load(server, folder, rate, calls)
    return (server.cpu() - before) / calls * 1e6


def sip_counts(metrics):
    return sum(value for name, value in metrics.items() if name.startswith("jiesu_sip_state{") and "registration" not in name
               and "timers" not in name)


def invite(number, transport, port, host="127.0.0.1"):
    branch = f"z9hG4bK{random.getrandbits(64):x}"
    body = f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\n"
    return (f"INVITE sip:{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{port};branch={branch}\r\n"
            f"From: <sip:1380000@carrier.invalid>;tag={branch}\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: {branch}\r\n"
            f"CSeq: 1 INVITE\r\nContact: <sip:caller@{host}:{port}>\r\nMax-Forwards: 70\r\n"
            f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def overload(server, folder):
    """Far more calls than can be served: a clean shed, running calls unharmed, normal again at once."""
    rtp = Rtp(30010)
    held = Sipp(folder, "caller", [f"{server.host}:{server.sip}"], "-s", "300", "-r", 50, "-m", 50, "-key", "rtp_port", 30010,
                "-d", 25000, "-timeout", 100, "-timeout_error")
    time.sleep(2)
    before, began = server.cpu(), time.monotonic()
    flood = call_load(server, folder, 8000, 80000, must=False, most=60000)
    took = time.monotonic() - began
    say("overload", f"8,000/s offered: {flood['successful'] - flood['shed']} served, {flood['shed']} shed, {flood['failed']} failed, "
        f"{flood['retransmissions']} retransmissions in {took:.1f} s, {(server.cpu() - before) / took * 100:.0f} % CPU")
    time.sleep(2)
    after = call_load(server, folder, 1000, 5000, must=False)
    say("overload", f"two seconds later at 1,000/s: {after['failed']} failed, {after['shed']} shed, "
        f"{after['retransmissions']} retransmissions")
    held.wait()
    report = rtp.report()[0]
    say("overload", f"50 calls held through it: {report['lost']} packets lost, deviation p99 {report['deviation_ms']['p99']} ms")


def media(server, folder, name, number, calls, scenario, rtp_ports, stay=PROMPT_SECONDS * 1000, agent=False, reference=None):
    """Calls with sound both ways: CPU a call-second, loss, jitter, memory a call."""
    before_memory = server.resident()
    rtp = Rtp(*rtp_ports)
    side = Sipp(folder, "agent", [], "-key", "rtp_port", rtp_ports[-1], port=server.agent) if agent else None
    time.sleep(0.5)
    rate = max(20, calls // 10)
    before, began = server.cpu(), time.monotonic()
    sipp = Sipp(folder, scenario, [f"{server.host}:{server.sip}"], "-s", number, "-r", rate, "-m", calls, "-l", calls,
                "-key", "rtp_port", rtp_ports[0], "-d", stay, "-timeout", 300, "-timeout_error")
    time.sleep(calls / rate + 5)
    memory = (server.resident() - before_memory) / calls
    sums = sipp.wait()
    used, peer = server.cpu() - before, cpu_of(rtp.process.pid)
    if side:
        side.end()
    reports = rtp.report()
    seconds = sums["successful"] * stay / 1000
    cost = used / seconds * 1000
    ratio = f" ({cost / ASTERISK[reference]:.2f} of Asterisk)" if reference else ""
    floor = peer / sum(report["received"] for report in reports) * 1e6
    say(name, f"{calls} calls, {used / (time.monotonic() - began) * 100:.0f} % CPU, {cost:.2f} ms a call-second{ratio}, "
        f"{memory / 1024:.0f} KiB a call; rtp_peer, which only receives and answers, takes {floor:.1f} us a packet, "
        f"so {floor * 50 * len(reports) / 1000:.2f} ms a call-second")
    for side_name, report in zip(("caller", "agent"), reports):
        deviation = report["deviation_ms"]
        say(name, f"  to the {side_name}: {report['received']} packets, {report['lost']} lost, {report['late']} late, "
            f"deviation p50 {deviation['p50']} p99 {deviation['p99']} max {deviation['max']} ms; "
            f"frames through {report['frames_through']}, lost {report['frames_lost']}")
    return reports


def playback(server, folder):
    """A prompt of 20 s played while receiving."""
    media(server, folder, "playback", "200", 200, "listener", [30000], reference="playback")


def recorded(server, folder):
    """The same with a two-channel recording."""
    media(server, folder, "recorded", "400", 200, "listener", [30000], reference="recorded")


def echo(server, folder):
    """Sound that comes back."""
    media(server, folder, "echo", "300", 200, "caller", [30000], stay=15000)


def bridged(server, folder):
    """Caller and agent through the server, without and with recording."""
    media(server, folder, "bridged", "600", 100, "caller", [30000, 30002], stay=20000, agent=True)
    media(server, folder, "bridged, recorded", "650", 100, "caller", [30000, 30002], stay=20000, agent=True)


def thousand(server, folder):
    """1,000 calls at once, each recorded."""
    media(server, folder, "thousand", "400", 1000, "listener", [30000], reference="recorded")


def soak(server, folder):
    """Ten minutes of mixed calls; memory is said at each minute."""
    minutes = int(os.environ.get("SOAK_MINUTES", "10"))
    rtp = Rtp(30000, 30002)
    agent = Sipp(folder, "agent", [], "-key", "rtp_port", 30002, port=server.agent)
    time.sleep(0.5)
    loads = []
    for number, scenario, rate in [("110100", "caller", 50), ("200", "listener", 2), ("400", "listener", 2), ("650", "caller", 2)]:
        loads.append(Sipp(folder, scenario, [f"{server.host}:{server.sip}"], "-s", number, "-r", rate, "-m", rate * 60 * minutes,
                          "-l", 5000, "-key", "rtp_port", 30000, "-d", 20000 if number == "650" else 0,
                          "-timeout", 60 * minutes + 120, "-timeout_error"))
    for minute in range(minutes):
        time.sleep(60)
        files = len(os.listdir(f"/proc/{server.pid}/fd"))
        say("soak", f"minute {minute + 1}: RSS {server.resident() / 2**20:.1f} MiB, {files} files open")
    for load in loads:
        sums = load.wait()
        say("soak", f"{load.name}: {sums}")
    agent.end()
    for report in rtp.report():
        say("soak", f"{report['received']} packets, {report['lost']} lost, {report['frames_lost']} frames lost")


MEASUREMENTS = [signalling, intake, dialogs, resets, unacknowledged, overload, playback, recorded, echo, bridged, thousand, soak]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="measurements; all but soak when none is named")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--binary", help="jiesu; else $JIESU_BIN or target/release/jiesu")
    parser.add_argument("--server", help="HOST:PORT of a server that runs already")
    parser.add_argument("--pid", type=int, help="its process")
    parser.add_argument("--agent", type=int, default=25090, help="port at which the agent's phone listens")
    options = parser.parse_args()
    if options.list:
        for one in MEASUREMENTS:
            print(f"{one.__name__:16} {one.__doc__}")
        return
    chosen = [m for m in MEASUREMENTS if (m.__name__ in options.names if options.names else m is not soak)]
    unknown = set(options.names) - {m.__name__ for m in MEASUREMENTS}
    if unknown:
        sys.exit(f"no such measurement: {', '.join(sorted(unknown))}; --list shows all")
    for tool in ["sipp"]:
        shutil.which(tool) or sys.exit(f"{tool} is missing (Debian package sip-tester)")
    for one in chosen:
        with tempfile.TemporaryDirectory() as folder:
            # A fresh server for each: what one leaves behind must not count for the next.
            server = Server(options, pathlib.Path(folder))
            try:
                one(server, pathlib.Path(folder))
            finally:
                server.stop()


if __name__ == "__main__":
    main()
