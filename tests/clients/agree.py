"""Debian's python3-websockets exchanges the two hundred payloads with a server that agree_python.mjs has booted.

	python3 agree.py < JSON {"payloads": FILE, "servers": {"default": {"port", "socket"}, "takeover": {...}}}

Prints a JSON object a line: {"name", "agreed", "of", "first"} of an exchange, {"name", "fault"} of anything else.
"""

import asyncio
import base64
import http.client
import json
import socket
import sys
import urllib.parse

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

END = "tests.end"
TIMEOUT_S = 30


class Payload:
    def __init__(self, line):
        fields = json.loads(line)
        self.name, self.kind, self.base64 = fields["name"], fields["kind"], fields["base64"]
        self.bytes = base64.b64decode(self.base64, validate=True)
        self.text = None if self.kind == "binary" else self.bytes.decode()

    def member(self):
        if self.kind == "binary":
            return '"data64":"%s"' % self.base64
        return '"data":%s' % (self.text if self.kind == "json" else json.dumps(self.text, ensure_ascii=False))

    def fault_of_object(self, text, event_id, channel):
        head = '{"id":"%s","channel":"%s","type":"message",' % (event_id, channel)
        if self.kind != "text":
            return difference(text, head + self.member() + "}")
        if not text.startswith(head):
            return "the object is %r, expected %r" % (text[:150], head)
        members = json.loads(text)
        if list(members) != ["id", "channel", "type", "data"]:
            return "members %r" % list(members)
        return difference(members["data"], self.text)

    def fault_of_frame(self, message):
        if isinstance(message, bytes) != (self.kind == "binary"):
            return "the frame is a %s" % type(message).__name__
        return difference(message, self.bytes if self.kind == "binary" else self.text)


def difference(got, expected):
    if got == expected:
        return None
    at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
    around = slice(max(0, at - 10), at + 30)
    return "length %d, expected %d; differs at %d: %r, expected %r" % (len(got), len(expected), at, got[around], expected[around])


def judge(name, payloads, faults, extra=0):
    faults = ["%s: %s" % (payload.name, fault) for payload, fault in zip(payloads, faults) if fault is not None]
    first = faults[0] if faults else "%d more came" % extra if extra else None
    print(json.dumps({"name": name, "agreed": len(payloads) - len(faults), "of": len(payloads), "first": first}), flush=True)


class Server:
    channels = 0

    def __init__(self, port, socket_path):
        self.port, self.socket_path = port, socket_path

    def url(self, **parameters):
        return "ws://127.0.0.1:%d/events?%s" % (self.port, urllib.parse.urlencode(parameters))

    def channel(self):
        Server.channels += 1
        return "demo.%03d" % Server.channels

    def publish(self, channel, payloads):
        """All of them and END, as one array: the payloads' ids."""
        texts = ['{"channel":"%s",%s}' % (channel, payload.member()) for payload in payloads]
        texts.append('{"channel":"%s","type":"%s","data":"%s"}' % (channel, END, END))
        connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(TIMEOUT_S)
        connection.sock.connect(self.socket_path)
        connection.request("POST", "/publish", ("[%s]" % ",".join(texts)).encode(), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status == 200, answer
        return answer["ids"][:-1]

    def kept(self, channel):
        """What the channel keeps, by id, END apart."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        texts, after, more = {}, "0", True
        while more:
            # One event an answer: so it is the text between the brackets.
            connection.request("GET", "/events?channel=%s&after=%s&limit=1" % (channel, after))
            body = connection.getresponse().read().decode()
            answer = json.loads(body)
            after, more = answer["next"], answer["more"]
            for event in answer["events"]:
                if event.get("data") != END:
                    texts[event["id"]] = body[len('{"events":['):body.rindex('],"next":')]
        connection.close()
        return texts


class Client:
    """websockets with some way to compress; `answer` is what the server must have agreed to."""

    def __init__(self, name, server, answer=None, **options):
        self.name, self.server, self.answer = "websockets_" + name, server, answer
        self.options = dict(max_size=None, max_queue=None, ping_interval=None, open_timeout=TIMEOUT_S, **options)

    def connect(self, protocol, **parameters):
        return websockets.connect(self.server.url(**parameters), subprotocols=[protocol], **self.options)

    def fault_of_negotiation(self, connection):
        extensions = [
            dict(
                server_no_context_takeover=extension.remote_no_context_takeover,
                client_no_context_takeover=extension.local_no_context_takeover,
                server_max_window_bits=extension.remote_max_window_bits,
                client_max_window_bits=extension.local_max_window_bits,
            )
            for extension in connection.extensions
        ]
        expected = [] if self.answer is None else [self.answer]
        return None if extensions == expected else "negotiated %r, expected %r" % (extensions, expected)

    async def objects(self, connection):
        texts = []
        while True:
            message = await connection.recv()
            if json.loads(message).get("type") == END:
                return texts
            if message.startswith('{"id":'):
                texts.append(message)

    async def frames(self, connection):
        messages = []
        while True:
            messages.append(await connection.recv())
            if messages[-1] == END:
                return messages[:-1]

    async def receive(self, payloads):
        """Live, then what is kept: as objects and bare."""
        channel = self.server.channel()
        async with self.connect("ringcast.v1", channel=channel) as v1, self.connect("ringcast.raw", channel=channel) as raw:
            print(json.dumps({"name": self.name + "_negotiates", "fault": self.fault_of_negotiation(v1)}), flush=True)
            assert json.loads(await v1.recv())["op"] == "welcome"
            objects, frames = asyncio.ensure_future(self.objects(v1)), asyncio.ensure_future(self.frames(raw))
            loop = asyncio.get_running_loop()
            ids = await loop.run_in_executor(None, self.server.publish, channel, payloads)
            self.judge_received("live", payloads, ids, channel, await objects, await frames)
        async with self.connect("ringcast.v1", channel=channel, after=0) as v1, self.connect("ringcast.raw", channel=channel, after=0) as raw:
            self.judge_received("replayed", payloads, ids, channel, await self.objects(v1), await self.frames(raw))

    def judge_received(self, when, payloads, ids, channel, objects, frames):
        def judged(way, came, fault_of):
            faults = [fault_of(payload, i) if i < len(came) else "nothing came" for i, payload in enumerate(payloads)]
            judge("%s_%s_%s" % (self.name, way, when), payloads, faults, max(0, len(came) - len(payloads)))

        judged("v1", objects, lambda payload, i: payload.fault_of_object(objects[i], ids[i], channel))
        judged("raw", frames, lambda payload, i: payload.fault_of_frame(frames[i]))

    def judge_published(self, how, payloads, channel, ids):
        kept = self.server.kept(channel)
        faults = [
            payload.fault_of_object(kept[event_id], event_id, channel) if event_id in kept else "answered %r" % event_id
            for payload, event_id in zip(payloads, ids)
        ]
        judge("%s_publishes_by_%s" % (self.name, how), payloads, faults, max(0, len(kept) - len(payloads)))

    async def publish_by_op(self, payloads):
        channel = self.server.channel()
        ids = [None] * len(payloads)
        async with self.connect("ringcast.v1") as connection:

            async def send():
                for ref, payload in enumerate(payloads):
                    await connection.send('{"op":"publish","channel":"%s","ref":%d,%s}' % (channel, ref, payload.member()))

            async def read():
                while None in ids:
                    answer = json.loads(await connection.recv())
                    if "ref" in answer:
                        ids[answer["ref"]] = answer.get("id", str(answer))

            await asyncio.gather(send(), read())
        self.judge_published("op", payloads, channel, ids)

    async def publish_by_frame(self, payloads):
        """Fragments too: each third message goes in pieces."""
        channel = self.server.channel()
        async with self.connect("ringcast.raw", channel=channel) as connection:
            echo = asyncio.ensure_future(self.frames(connection))
            for i, payload in enumerate(payloads):
                message = payload.bytes if payload.kind == "binary" else payload.text
                pieces = [message[at:at + 10000] for at in range(0, len(message), 10000)]
                await connection.send(pieces if i % 3 == 0 and pieces else message)
            await connection.send(END)
            echoed = await echo
        meant = [payload if payload.kind != "json" else as_text(payload) for payload in payloads]
        faults = [payload.fault_of_frame(message) for payload, message in zip(meant, echoed)]
        faults += ["nothing came"] * (len(meant) - len(echoed))
        judge(self.name + "_hears_its_own_frames", meant, faults, max(0, len(echoed) - len(meant)))
        self.judge_published("frame", meant, channel, list(self.server.kept(channel)))


def as_text(payload):
    return Payload(json.dumps({"name": payload.name, "kind": "text", "base64": payload.base64}))


def answer(client_forgets=False, server_bits=15, client_bits=15):
    """What the server agrees to; it never refers to earlier messages itself."""
    return {
        "server_no_context_takeover": True,
        "client_no_context_takeover": client_forgets,
        "server_max_window_bits": server_bits,
        "client_max_window_bits": client_bits,
    }


async def exchange(client, payloads):
    for step in (client.receive, client.publish_by_op, client.publish_by_frame):
        try:
            await asyncio.wait_for(step(payloads), TIMEOUT_S)
        except Exception as error:  # the next one may still do
            print(json.dumps({"name": "%s_%s" % (client.name, step.__name__), "fault": repr(error)}), flush=True)


def main():
    task = json.load(sys.stdin)
    with open(task["payloads"], encoding="utf-8") as lines:
        payloads = [Payload(line) for line in lines]
    default, takeover = (Server(**task["servers"][name]) for name in ("default", "takeover"))
    clients = [
        Client("plain", default, compression=None),
        Client("deflate", default, answer(client_forgets=True), compression="deflate"),
        Client("deflate_both_forget", default, answer(client_forgets=True), compression=None, extensions=[
            ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True)]),
        Client("deflate_small_window_of_the_server", default, answer(client_forgets=True, server_bits=10), compression=None,
               extensions=[ClientPerMessageDeflateFactory(server_max_window_bits=10, client_max_window_bits=True)]),
        Client("takeover", takeover, answer(), compression="deflate"),
        Client("takeover_small_window_of_the_client", takeover, answer(client_bits=9), compression=None,
               extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=9)]),
    ]
    for client in clients:
        asyncio.run(exchange(client, payloads))


main()
