// data.mjs: twenty payloads that a transport may spoil, and what each dialect must make of them.
//
// A payload is {name, envelope} and what is expected of it: `text` (a JSON string or plain text), `json` (the bytes of another
// JSON value), or `bytes` (binary).

const PLANES = Array.from({ length: 17 }, (_, plane) => String.fromCodePoint(plane * 0x10000 + 0x100, plane * 0x10000 + 0xfffd)).join('');
const EDGES = String.fromCodePoint(0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfdd0, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0x10ffff);
const CONTROLS = Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)).join('');
const ASCII = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join('');
const KIB64 = 64 * 1024;
const noise = (n) => Buffer.from(Uint8Array.from({ length: n }, (_, i) => (i * 167 + (i >> 8) * 13) & 255));

const texts = {
	'empty text': '',
	'plain text': 'hello',
	'all of ASCII': ASCII,
	'control characters': CONTROLS,
	'every plane of Unicode': PLANES,
	'edges of UTF-8 and noncharacters': EDGES,
	'joined, combining and right-to-left': '👩‍👩‍👧‍👦 e\u0301 שלום \u202eabc\u202c \u2028\u2029\u0085',
	'byte order mark': '\ufeff\ufeffx\ufeff',
	'line feeds': '\n\na\nb\n',
	'carriage returns': 'a\rb\r\rc\r',
	'mixed line ends': 'a\r\nb\n\rc\r\n\r\n',
	'forged SSE': 'x\n\ndata: forged\nid: 1\nevent: e\n: c\nretry: 1\n\n',
	'spaces and colons': ' :  x : ',
	'64 KiB of ASCII': ASCII.repeat(690).slice(0, KIB64),
	'64 KiB of four-byte characters': '🚀𝄞'.repeat(KIB64 / 8),
};
const values = {
	'object': '{ "a" : 1.0, "b":[1e400,12345678901234567890,-0], "a":"\\u00e9\\/" }',
	'null': 'null',
};
const binaries = {
	'every byte': Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i)),
	'no bytes': Buffer.alloc(0),
	'64 KiB of bytes': noise(KIB64),
};

export const payloads = [
	...Object.entries(texts).map(([name, text]) => ({ name, text })),
	...Object.entries(values).map(([name, json]) => ({ name, json })),
	...Object.entries(binaries).map(([name, bytes]) => ({ name, bytes })),
];

// The envelope as bytes: JSON.stringify would write a value anew.
export function envelope(channel, payload) {
	const head = `{"channel":${JSON.stringify(channel)},`;
	if (payload.bytes !== undefined)
		return `${head}"data64":"${payload.bytes.toString('base64')}"}`;
	return `${head}"data":${payload.json ?? JSON.stringify(payload.text)}}`;
}

// What `"data"` or `"data64"` of an event object must be, given the object's text as it came.
export function faultOfObject(text, payload) {
	const object = JSON.parse(text);
	if (payload.bytes !== undefined)
		return object.data64 === payload.bytes.toString('base64') && !('data' in object) ? null : 'data64 differs';
	if (payload.text !== undefined)
		return object.data === payload.text ? null : 'the text differs';
	return text.endsWith(`,"data":${payload.json}}`) ? null : 'the value is not kept byte for byte';
}

// What event.data of an EventSource must be: SSE cannot carry CR.
export function expectedOfSSE(payload) {
	return payload.bytes?.toString('base64') ?? payload.json ?? payload.text.replace(/\r\n?/g, '\n');
}

// The bytes of a raw frame, and whether it is a binary one.
export function expectedOfRaw(payload) {
	return { bytes: payload.bytes ?? Buffer.from(payload.json ?? payload.text), binary: payload.bytes !== undefined };
}

// The texts of the event objects in the answer to a poll.
export function eventTexts(body) {
	const count = JSON.parse(body).events.length;
	const texts = [];
	let depth = 0, start = 0, quoted = false;

	for (let i = body.indexOf('[') + 1; texts.length < count; i++) {
		const c = body[i];
		if (quoted && c === '\\')
			i++;
		else if (c === '"')
			quoted = !quoted;
		else if (!quoted && '{['.includes(c))
			start = depth++ === 0 ? i : start;
		else if (!quoted && '}]'.includes(c) && --depth === 0)
			texts.push(body.slice(start, i + 1));
	}
	return texts;
}
