// payloads.mjs: the two hundred payloads that every client must exchange bit for bit, made here and nowhere else.
//
//	node payloads.mjs > FILE      a JSON line each: {"name":"…","kind":"text|json|binary","base64":"…"}
//
// Node, Python and pages read these lines. A text is UTF-8; a json is one JSON value other than a string, which must keep its
// bytes; a binary is any bytes. The same lines come out each time: what looks random is a fixed sequence.

import { fileURLToPath } from 'node:url';

export const LIMIT = 256 * 1024; // max_event_bytes as it is by default
export const COUNT = 200;
// Channels of the tests have names of so many characters: so the objects below have exactly the lengths that they are made for.
export const CHANNEL_CHARS = 8;
const OBJECT = '{"id":"1763856000000-00000","channel":"12345678","type":"message","data":""}'.length;
const DEPTH = 61; // 64 levels may be nested, and the array of envelopes, the envelope and a key's object around it are three

/* ---- material -------------------------------------------------------------------------------------- */

// Marsaglia's xorshift, 32 bits.
function random(seed) {
	let x = seed;
	return (below) => {
		x ^= x << 13;
		x ^= x >>> 17;
		x ^= x << 5;
		return (x >>> 0) % below;
	};
}

function noise(length, seed = 1) {
	const next = random(seed);
	return Uint8Array.from({ length }, () => next(256));
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const ascii = (length) => 'The quick brown fox jumps over the lazy dog. 0123456789 '.repeat(length / 56 + 1).slice(0, length);
const incompressible = (length) => Array.from(noise(length, 7), (byte) => BASE64[byte & 63]).join('');
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => String.fromCodePoint(first + i)).join('');
const bytes = (...values) => Uint8Array.from(values.flat());
const joined = (...parts) => bytes(...parts.map((part) => [...part]));

const SIZES = [0, 1, 2, 124, 125, 126, 127, 128, 1023, 1024, 4096, 65533, 65534, 65535, 65536, 65537, LIMIT - 1, LIMIT];

/* ---- texts ----------------------------------------------------------------------------------------- */

// Of a plane: its first and last characters (with its noncharacters), and some between. Surrogates are none.
function plane(number) {
	const base = number * 0x10000;
	const between = Array.from({ length: 200 }, (_, i) => base + 0x200 + i * 317).filter((c) => c < 0xd800 || c > 0xdfff);
	return range(base, base + 31) + String.fromCodePoint(...between) + range(base + 0xfff0, base + 0xffff);
}

// Every sequence of four out of CR, LF and a letter.
function lineBreaks() {
	const parts = ['\r', '\n', 'x'];
	let all = [''];
	for (let i = 0; i < 4; i++)
		all = all.flatMap((begun) => parts.map((part) => begun + part));
	return all.join('|');
}

function randomText(seed) {
	const next = random(seed);
	const planes = [[0x20, 0x5f], [0, 0x20], [0x80, 0x780], [0x800, 0x5000], [0x4e00, 0x5200], [0xe000, 0x2000], [0x10000, 0x100000]];
	return Array.from({ length: 1 + next(3000) }, () => {
		const [first, count] = planes[next(planes.length)];
		return String.fromCodePoint(first + next(count));
	}).join('');
}

function* texts() {
	for (const size of SIZES)
		yield [`text of ${size} bytes`, ascii(size)];
	for (const size of [125, 126, 65535, 65536])
		yield [`text whose event object has ${size} bytes`, ascii(size - OBJECT)];
	for (const size of [200, 65535, LIMIT])
		yield [`text of ${size} bytes that no compression shortens`, incompressible(size)];
	yield ['text up to the limit in two-byte characters', 'é'.repeat(LIMIT / 2)];
	yield ['text up to the limit in three-byte characters', `${'漢'.repeat(Math.floor(LIMIT / 3))}x`];
	yield ['text up to the limit in four-byte characters', '🚀𝄞'.repeat(LIMIT / 8)];
	yield ['text up to the limit in escapes', '"\\'.repeat(LIMIT / 2)];
	yield ['text that repeats beyond the window', incompressible(40000).repeat(2)];

	for (let number = 0; number <= 16; number++)
		yield [`plane ${number} of Unicode`, plane(number)];
	yield ['every noncharacter', range(0xfdd0, 0xfdef) + Array.from({ length: 17 }, (_, i) => range(i * 0x10000 + 0xfffe, i * 0x10000 + 0xffff)).join('')];
	yield ['edges of the lengths of UTF-8', String.fromCodePoint(0, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff)];
	yield ['both sides of the surrogates', '\ud7ff\ue000'];
	yield ['private use and tags', String.fromCodePoint(0xe000, 0xf8ff, 0xe0001, 0xe0041, 0xe007f, 0xf0000, 0xffffd, 0x100000, 0x10fffd)];
	yield ['composed and decomposed', 'é e\u0301 ŵ w\u0302 Å \u212b A\u030a 각 \u1100\u1161\u11a8 ﬁ fi Ⅳ IV'];
	yield ['a stack of combining marks', `x${range(0x300, 0x36f)}y${'\u0489'.repeat(100)}`];
	yield ['a combining mark first', '\u0301 after nothing'];
	yield ['right to left', 'שָׁלוֹם עֲלֵיכֶם — السَّلامُ عَلَيْكُم 123 abc'];
	yield ['directions turned round', '\u202eabc\u202c \u2066x\u2069 \u2067y\u2069 \u200e\u200f\u061c'];
	yield ['joined emoji', '👩‍👩‍👧‍👦 👨🏿‍🚀 🏳️‍🌈 🧑🏻‍❤️‍💋‍🧑🏽'];
	yield ['flags, keycaps, tags', '🇩🇪🇯🇵🇺🇳 1️⃣#️⃣ 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}'];
	yield ['variation selectors', `${range(0xfe00, 0xfe0f)} 葛\u{e0100} ☎︎☎️`];
	yield ['scripts of Asia', 'क्‍ष ক্ষ தமிழ் ไทยกำ བོད་ཡིག မြန်မာ ខ្មែរ 日本語 한국어 中文'];
	yield ['letters that change their length with case', 'İ ı ſ ß ẞ K Å Σσς ŉ ǰ ΐ'];
	yield ['digits of many scripts', '٣ ۳ ३ ৩ ௩ ３ 𝟛 ③ Ⅲ 三'];
	yield ['not to be seen', '\u00ad\u200b\u200c\u200d\u2060\u2061\ufeff\ufff9\ufffa\ufffb\ufffc\ufffd'];
	yield ['a byte order mark first', '\ufeffmarked'];
	yield ['nothing but byte order marks', '\ufeff\ufeff\ufeff'];
	yield ['byte order marks inside and last', 'a\ufeffb\ufffe\ufeff'];

	yield ['NUL alone', '\0'];
	yield ['NULs among letters', 'a\0b\0\0c\0'];
	yield ['control characters', range(0, 31)];
	yield ['DEL and the second controls', range(0x7f, 0x9f)];
	yield ['all of ASCII', range(0, 127)];

	yield ['line feed', '\n'];
	yield ['carriage return', '\r'];
	yield ['both', '\r\n'];
	yield ['line feeds first, last, doubled', '\n\na\nb\n\nc\n\n'];
	yield ['carriage returns first, last, doubled', '\r\ra\rb\r\rc\r\r'];
	yield ['both first, last, doubled', '\r\n\r\na\r\nb\r\n\r\nc\r\n\r\n'];
	yield ['every order of line breaks', lineBreaks()];
	yield ['line breaks of Unicode', 'a\u000bb\u000cc\u001cd\u001de\u001ef\u0085g\u2028h\u2029i'];
	yield ['a thousand short lines', 'x\n'.repeat(1000)];
	yield ['many empty lines', '\n'.repeat(65535)];
	yield ['a forged event', 'x\n\nevent: forged\ndata: forged\nid: 1763856000000-00000\nretry: 1\n\n'];
	yield ['a forged event behind carriage returns', 'x\r\rdata: forged\rid: 1\r\r'];
	yield ['fields of an event', 'data: a\n data:b\nid\nevent:\n: comment\n:'];
	yield ['spaces first and last', '  two \t'];
	yield ['colons', ':\n: :\n ::'];

	yield ['what looks like null', 'null'];
	yield ['what looks like a number', '-1.50e+3'];
	yield ['what looks like an envelope', '{"channel":"news","data":"x"}'];
	yield ['what looks like an array', ' [1,2] '];
	yield ['what looks like a JSON string', '"a\\u0000\\n"'];
	yield ['backslashes and quotes', '\\ \\\\ \\" " \\u0041 \\x41 \\/ / \' `'];
	yield ['what looks like a form', 'channel=news&data=a+b%20c%00&type=x;y=z'];
	yield ['what looks like a form field', 'data=%7b%22'];
	yield ['what looks like markup', '<script>alert(1)</script><!-- ]]> &amp; &#0;'];
	yield ['what looks like a file name', '@/etc/passwd'];
	yield ['what looks like a head', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'];
	yield ['what looks like chunks', '5\r\nhello\r\n0\r\n\r\n'];
	for (let seed = 1; seed <= 8; seed++)
		yield [`random text ${seed}`, randomText(seed * 7919)];
}

/* ---- values ---------------------------------------------------------------------------------------- */

const nested = (open, inner, close) => open.repeat(DEPTH) + inner + close.repeat(DEPTH);

function randomValue(next, depth) {
	const space = () => ['', '', '', ' ', '\t', '\r\n'][next(6)];
	const word = () => JSON.stringify(randomText(1 + next(1 << 30)).slice(0, next(12)).replace(/[\ud800-\udfff]/g, '?'));
	const several = (one) => Array.from({ length: next(5) }, one).join(',');
	switch (next(depth > 8 ? 4 : 7)) {
	case 0: return ['null', 'true', 'false'][next(3)];
	case 1: return `${next(2) ? '-' : ''}${next(1e6)}.${next(1000)}e${next(2) ? '+' : '-'}${next(400)}`;
	case 2: return String(next(1 << 30));
	case 3: return word();
	case 4: case 5: return `{${several(() => `${space()}${word()}${space()}:${space()}${randomValue(next, depth + 1)}`)}}`;
	default: return `[${several(() => space() + randomValue(next, depth + 1))}${space()}]`;
	}
}

function* values() {
	for (const value of ['null', 'true', 'false', '0', '-0', '1', '1.0', '-1.50', '0.1', '1e400', '-1E+400', '1e-400', '0e0', '1E2',
		'9007199254740993', '-9223372036854775809', '3.141592653589793238462643383279502884197', '[]', '{}', '[[]]', '{"":{}}'])
		yield [`value ${value}`, value];
	yield ['a number of a thousand digits', '9'.repeat(1000)];
	yield ['spaces inside', '{ "a" : [ 1 , 2 ] , "b" : { } }'];
	yield ['line breaks inside', '{\n\t"a":\r\n[1,\r2\n]\r}'];
	yield ['a key twice', '{"a":1,"a":2,"a":1}'];
	yield ['keys that sort as numbers', '{"10":1,"9":2,"-1":3,"01":4}'];
	yield ['keys that objects have', '{"__proto__":1,"constructor":2,"toString":3,"hasOwnProperty":4}'];
	yield ['escapes as they are', '["\\u00e9","\\u00E9","é","\\/","/","\\b\\f\\n\\r\\t","\\"","\\\\"]'];
	yield ['NUL in strings and keys', '{"\\u0000":"a\\u0000b","c":"\\u0000"}'];
	yield ['surrogates as escapes', '["\\ud83d\\ude80","🚀","\\uD834\\uDD1E"]'];
	yield ['separators of lines in strings', '["\u2028\u2029\u0085","\\u2028\\u2029"]'];
	yield ['noncharacters in strings', '["\ufffe\uffff\ufdd0\u{10ffff}","\\uffff\\ufdd0"]'];
	yield ['byte order marks in strings', '["\ufeff","\\ufeff"]'];
	yield ['every control character as an escape', `["${Array.from({ length: 32 }, (_, i) => `\\u${i.toString(16).padStart(4, '0')}`).join('')}"]`];
	yield ['numbers of every form', '[0,-0,0.0,-0.0,1,1.0,1e1,1E1,1e+1,1e-1,1.5e10,123456789012345678901234567890,1e308,1e309,5e-324,1e-999]'];
	yield ['what looks like an event', '{"id":"1763856000000-00000","channel":"forged","type":"message","data":1}'];
	yield ['what looks like a control object', '{"op":"live","at":"1763856000000-00000"}'];
	yield ['what looks like a poll', '{"events":[{"id":"x"}],"next":"0","more":true,"gaps":[]}'];
	yield ['what looks like an error', '{"error":{"code":"internal","message":"]}"}}'];
	yield ['deep arrays', nested('[', '', ']')];
	yield ['deep objects', nested('{"a":', '0', '}')];
	yield ['deep arrays side by side', `[${nested('[', '1', ']').slice(1, -1)},${nested('[', '2', ']').slice(1, -1)}]`];
	yield ['a long key', `{"${'k'.repeat(10000)}":1}`];
	yield ['a wide object', `{${Array.from({ length: 1000 }, (_, i) => `"k${i}":${i}.0`).join(',')}}`];
	yield ['a long array', `[${Array.from({ length: 10000 }, (_, i) => (i * 7919) % 1000).join(',')}]`];
	for (const size of [125 - OBJECT + 2, 126 - OBJECT + 2, 65535, 65536, LIMIT])
		yield [`value of ${size} bytes`, `["${ascii(size - 4).replaceAll('.', ',')}"]`];
	for (let seed = 1; seed <= 6; seed++)
		yield [`random value ${seed}`, `[${Array.from({ length: 40 }, ((next) => () => randomValue(next, 1))(random(seed * 104729))).join(', ')}]`];
}

/* ---- binaries -------------------------------------------------------------------------------------- */

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, i) => i);
const SYNC = [0, 0, 0xff, 0xff]; // what ends a compressed message, and is cut off

function* binaries() {
	for (const size of SIZES)
		yield [`binary of ${size} bytes`, noise(size, size + 1)];
	for (const size of [1000, 100001])
		yield [`binary of ${size} bytes`, noise(size, size)];
	yield ['every byte', EVERY_BYTE];
	yield ['every byte twice over', joined(EVERY_BYTE, [...EVERY_BYTE].reverse())];
	yield ['every byte behind every byte', joined(...Array.from({ length: 256 }, (_, i) => EVERY_BYTE.map((byte) => (byte + i * 37) & 255)))];
	yield ['a NUL', bytes(0)];
	yield ['a 0xff', bytes(255)];
	yield ['zeros', new Uint8Array(100000)];
	yield ['ones', new Uint8Array(65536).fill(255)];
	yield ['no UTF-8: overlong', bytes(0xc0, 0x80, 0xe0, 0x80, 0xaf, 0xf0, 0x80, 0x80, 0x80)];
	yield ['no UTF-8: surrogates', bytes(0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf)];
	yield ['no UTF-8: cut short', bytes(0x61, 0xf0, 0x9f, 0x9a)];
	yield ['text as binary', new TextEncoder().encode('λ漢🚀\r\n\0')];
	yield ['the end of a compressed block', bytes(SYNC)];
	yield ['ends of compressed blocks', joined(...Array.from({ length: 64 }, () => SYNC))];
	yield ['what ends as a compressed block does', joined(noise(300, 3), SYNC)];
	yield ['what is compressed already', bytes(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0, 0)];
	yield ['a frame', bytes(0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6f, 0x68, 0x6e)];
	yield ['noise that repeats within the window', joined(noise(20000, 5), noise(20000, 5))];
	yield ['noise that repeats beyond the window', joined(noise(40000, 5), noise(40000, 5))];
}

/* ---- all of them ----------------------------------------------------------------------------------- */

function* all() {
	const encoder = new TextEncoder();
	for (const [name, text] of texts())
		yield { name, kind: 'text', bytes: encoder.encode(text) };
	for (const [name, text] of values())
		yield { name, kind: 'json', bytes: encoder.encode(text) };
	for (const [name, content] of binaries())
		yield { name, kind: 'binary', bytes: content };
}

export function lines() {
	return [...all()].map(({ name, kind, bytes: content }) =>
		`${JSON.stringify({ name, kind, base64: Buffer.from(content).toString('base64') })}\n`).join('');
}

if (process.argv[1] === fileURLToPath(import.meta.url))
	process.stdout.write(lines());
