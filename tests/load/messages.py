"""Signed WeChat messages over 64 connections: records a second and the 99th percentile of the answer.

The plain mode's signature does not cover the body, so one signature serves many message ids. Prints figures;
fails when an answer is not `200 success`.
"""
import hashlib
import http.client
import sys
import threading
import time

HOST, PORT, PATH, TOKEN = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
CONNECTIONS, SECONDS = 64, 10


def query():
    at, nonce = str(int(time.time())), "12345"
    return f"signature={hashlib.sha1(''.join(sorted([TOKEN, at, nonce])).encode()).hexdigest()}&timestamp={at}&nonce={nonce}"


def deliver(worker, end, target, took, wrong):
    connection = http.client.HTTPConnection(HOST, PORT, timeout=30)
    number = 0
    while time.monotonic() < end:
        number += 1
        body = (
            "<xml><ToUserName><![CDATA[gh_load]]></ToUserName><FromUserName><![CDATA[oLoad%d]]></FromUserName>"
            "<CreateTime>1763880000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            "<Content><![CDATA[load]]></Content><MsgId>%d</MsgId></xml>" % (worker, worker * 1_000_000 + number)
        )
        started = time.monotonic()
        connection.request("POST", target, body, {"Content-Type": "text/xml"})
        answer = connection.getresponse()
        text = answer.read()
        took.append(time.monotonic() - started)
        if (answer.status, text) != (200, b"success"):
            wrong.append(answer.status)


def main():
    took, wrong, end = [], [], time.monotonic() + SECONDS
    target = f"{PATH}?{query()}"
    workers = [
        threading.Thread(target=deliver, args=(i, end, target, took, wrong)) for i in range(1, CONNECTIONS + 1)
    ]
    started = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - started
    took.sort()
    p99 = took[int(len(took) * 0.99)] * 1000
    print(f"messages: {len(took)} in {seconds:.1f} s = {len(took) / seconds:.0f} records/s, p99 {p99:.1f} ms, refused {len(wrong)}")
    print(len(took) - len(wrong), file=sys.stderr)
    sys.exit(1 if wrong or not took else 0)


main()
