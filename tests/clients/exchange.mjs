// exchange.mjs: one client and the two hundred payloads, both ways over every transport that it speaks.
//
// Whoever has fetch, WebSocket and EventSource can exchange: pages, undici, npm's packages. So nothing here is Node's. What is
// tried is a `kit`: {name, fetch, webSocket(url, protocols), eventSource(url), polls, sees}. A kit may lack all but name and fetch, which
// also reads what is kept; with `polls`, fetch itself is tried. `sees(form, payload)` is what becomes of a payload by a fault of the
// client's own.
//
//	server -> client    receivers open; somebody publishes the payloads and END; each receiver is judged by what came
//	client -> server    the client publishes on a channel of its own; what is kept there is judged
//
// A judgement: {name, agreed, of, first}; `first` tells of the first payload that did not come out as it went in.

export const END = 'tests.end'; // type and data of the event behind the payloads

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// The lines of payloads.mjs: [{name, kind, bytes, base64, text}]; `text` of texts and values.
export function read(lines) {
	return lines.trim().split('\n').map((line) => {
		const { name, kind, base64 } = JSON.parse(line);
		const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
		return { name, kind, bytes, base64, text: kind === 'binary' ? null : decoder.decode(bytes) };
	});
}

/* ---- what a publisher writes ----------------------------------------------------------------------- */

// `"data":…` or `"data64":…`. JSON.stringify would write a value anew.
export function member(payload) {
	if (payload.kind === 'binary')
		return `"data64":"${payload.base64}"`;
	return `"data":${payload.kind === 'json' ? payload.text : JSON.stringify(payload.text)}`;
}

export const envelope = (channel, payload) => `{"channel":${JSON.stringify(channel)},${member(payload)}}`;
export const endOf = (channel) => `{"channel":${JSON.stringify(channel)},"type":"${END}","data":"${END}"}`;

// What becomes of a payload where nothing tells its kind: a text if it is UTF-8, else binary.
export function untold(payload) {
	try {
		return { ...payload, kind: 'text', text: decoder.decode(payload.bytes) };
	} catch {
		return { ...payload, kind: 'binary' };
	}
}

const own = { text: 'text/plain; charset=utf-8', json: 'application/json', binary: 'application/octet-stream' };
const other = { text: 'text/markdown', json: 'application/vnd.api+json', binary: 'image/png' };

// How a body may be sent: {type (absent: no Content-Type), bytes, as: the payload that it means}.
export const bodies = {
	its_type: (payload) => ({ type: own[payload.kind], bytes: payload.bytes, as: payload }),
	another_type: (payload) => ({ type: other[payload.kind], bytes: payload.bytes, as: payload }),
	JSON: (payload) => (payload.kind === 'text'
		? { type: 'application/json; charset="UTF-8"', bytes: new TextEncoder().encode(JSON.stringify(payload.text)), as: payload }
		: bodies.its_type(payload)),
	no_type: (payload) => ({ bytes: payload.bytes, as: untold(payload) }),
	form_type: (payload) => ({ type: 'application/x-www-form-urlencoded', bytes: payload.bytes, as: untold(payload) }),
};

/* ---- comparing ------------------------------------------------------------------------------------- */

// Null when they are the same, else where they begin to differ.
function difference(got, expected, what) {
	if (got === expected)
		return null;
	let at = 0;
	while (at < got.length && got[at] === expected[at])
		at++;
	const shown = (value) => JSON.stringify(value.slice(Math.max(0, at - 10), at + 30));
	return `${what} (length ${got.length}, expected ${expected.length}) differs at ${at}: ${shown(got)}, expected ${shown(expected)}`;
}

function latin1(bytes) {
	let text = '';
	for (let i = 0; i < bytes.length; i += 8192)
		text += String.fromCharCode(...bytes.subarray(i, i + 8192));
	return text;
}

const withoutCR = (text) => text.replace(/\r\n?/g, '\n');

const compare = {
	// An event object: of a text what it says, of all else its bytes.
	object(item, payload, { id, channel }, carried = (text) => text) {
		const head = `{"id":"${id}","channel":${JSON.stringify(channel)},"type":"message",`;
		if (payload.kind !== 'text')
			return difference(item.text, carried(`${head}${member(payload)}}`), 'the object');
		const object = JSON.parse(item.text);
		if (!item.text.startsWith(head) || Object.keys(object).join() !== 'id,channel,type,data')
			return `the object is ${item.text.slice(0, 150)}, expected ${head}`;
		return difference(object.data, payload.text, 'data');
	},

	// An event stream carries no CR. In an object there is one only between the tokens of a value.
	streamed(item, payload, event) {
		return difference(item.id, event.id, 'the id') ?? compare.object(item, payload, event, withoutCR);
	},

	sse(item, payload, { id }) {
		return difference(item.id, id, 'the id')
			?? difference(item.text, payload.kind === 'binary' ? payload.base64 : withoutCR(payload.text), 'data');
	},

	raw(item, payload) {
		if ((item.bytes !== undefined) !== (payload.kind === 'binary'))
			return `the frame is ${item.bytes ? 'binary' : 'text'}`;
		return item.bytes ? difference(latin1(item.bytes), latin1(payload.bytes), 'the bytes') : difference(item.text, payload.text, 'the text');
	},
};

function faultOf(form, item, payload, event) {
	if (item === undefined)
		return 'nothing came';
	try {
		return compare[form](item, payload, event);
	} catch (error) {
		return String(error); // no JSON
	}
}

// `expected`: [{payload, id, channel}] in order; `items` what came.
export function judge(name, form, items, expected) {
	const faults = expected.map(({ payload, id, channel }, i) => {
		const fault = faultOf(form, items[i], payload, { id, channel });
		return fault && `${payload.name}: ${fault}`;
	});
	if (items.length > expected.length)
		faults.push(`${items.length - expected.length} more came`);
	const wrong = faults.filter(Boolean);
	return { name, agreed: expected.length - faults.slice(0, expected.length).filter(Boolean).length, of: expected.length, first: wrong[0] ?? null };
}

/* ---- receivers ------------------------------------------------------------------------------------- */

export function address(url, parameters) {
	return `${url}/events?${new URLSearchParams(parameters)}`;
}

// What arrives until END. `ready` and `ended` are promises; a client that fails rejects both.
class Receiver {
	constructor(form) {
		this.form = form;
		this.items = [];
		this.ready = new Promise((resolve, reject) => Object.assign(this, { begin: resolve, failBegin: reject }));
		this.ended = new Promise((resolve, reject) => Object.assign(this, { end: resolve, failEnd: reject }));
		this.ready.catch(() => {});
		this.ended.catch(() => {});
	}

	fail(message) {
		this.failBegin(new Error(message));
		this.failEnd(new Error(message));
	}

	object(text) {
		if (JSON.parse(text).type === END)
			return this.end();
		this.items.push({ text });
	}
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
		else if (!quoted && (c === '{' || c === '['))
			start = depth++ === 0 ? i : start;
		else if (!quoted && (c === '}' || c === ']') && --depth === 0)
			texts.push(body.slice(start, i + 1));
	}
	return texts;
}

async function poll(kit, url, parameters, receiver) {
	let ended = false;
	let { after } = parameters;
	receiver.ended.then(() => (ended = true), () => (ended = true));
	if (after === undefined)
		after = (await (await kit.fetch(address(url, parameters))).json()).next;
	receiver.begin();
	while (!ended) {
		const body = await (await kit.fetch(address(url, { ...parameters, after }))).text();
		const answer = JSON.parse(body);
		if (answer.error || answer.gaps.length !== 0)
			throw new Error(`the answer is ${body.slice(0, 300)}`);
		eventTexts(body).forEach((text) => receiver.object(text));
		after = answer.next;
		await new Promise((resolve) => setTimeout(resolve, 0));
	}
}

const open = {
	v1(kit, url, parameters, receiver) {
		const socket = kit.webSocket(address(url, parameters).replace(/^http/, 'ws'), ['ringcast.v1']);
		socket.onmessage = ({ data }) => {
			if (typeof data === 'string' && data.startsWith('{"id":'))
				receiver.object(data);
			else if (typeof data === 'string' && data.startsWith('{"op":"welcome"'))
				receiver.begin();
			else if (typeof data !== 'string' || !data.startsWith('{"op":"live"'))
				receiver.fail(`this came: ${String(data).slice(0, 300)}`);
		};
		return socket;
	},

	raw(kit, url, parameters, receiver) {
		const socket = kit.webSocket(address(url, parameters).replace(/^http/, 'ws'), ['ringcast.raw']);
		socket.binaryType = 'arraybuffer';
		socket.onopen = receiver.begin;
		socket.onmessage = ({ data }) => {
			if (data === END)
				return receiver.end();
			receiver.items.push(typeof data === 'string' ? { text: data } : { bytes: new Uint8Array(data) });
		};
		return socket;
	},

	eventSource(kit, url, parameters, receiver) {
		const source = kit.eventSource(address(url, parameters));
		source.addEventListener('ringcast.welcome', receiver.begin);
		source.addEventListener('ringcast.gap', ({ data }) => receiver.fail(`a gap: ${data}`));
		source.addEventListener('error', () => receiver.fail('the stream ended'));
		source.addEventListener(END, receiver.end);
		source.onmessage = ({ data, lastEventId }) => {
			if (receiver.form === 'streamed' && JSON.parse(data).type === END)
				return receiver.end();
			receiver.items.push({ text: data, id: lastEventId });
		};
		return source;
	},
};

// The ways to receive: whether a kit has what they need, what they ask for, how they open, what then comes.
export const ways = {
	websocket_v1: { needs: 'webSocket', form: 'object', open: open.v1 },
	websocket_raw: { needs: 'webSocket', form: 'raw', open: open.raw },
	sse: { needs: 'eventSource', form: 'sse', open: open.eventSource },
	sse_json: { needs: 'eventSource', form: 'streamed', open: open.eventSource, parameters: { format: 'json' } },
	longpoll: { needs: 'polls', form: 'object', open: poll, parameters: { wait: 20 } },
	poll: { needs: 'polls', form: 'object', open: poll, parameters: { limit: 37 } },
};

export const waysOf = (kit) => Object.keys(ways).filter((way) => kit[ways[way].needs]);

// Opens a receiver: of what comes, or with `after` of what is kept.
export function receive(kit, way, url, channel, after) {
	const { form, open: start, parameters = {} } = ways[way];
	const receiver = new Receiver(form);
	const asked = { channel, ...parameters, ...(after !== undefined && { after }) };
	const client = start(kit, url, asked, receiver);
	if (client instanceof Promise) {
		client.catch((error) => receiver.fail(String(error?.stack ?? error)));
	} else if (ways[way].needs === 'webSocket') {
		client.addEventListener('error', () => receiver.fail('the socket failed'));
		client.addEventListener('close', ({ code, reason }) => receiver.fail(`the socket was closed: ${code} ${reason}`));
	}
	receiver.client = client;
	receiver.sees = (payload) => kit.sees?.(form, payload) ?? payload;
	receiver.name = `${kit.name}_${way}_${after === undefined ? 'live' : 'replayed'}`;
	receiver.close = () => {
		receiver.end();
		client.close?.();
	};
	return receiver;
}

export async function within(ms, promise, what) {
	let timer;
	const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)));
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Waits until everything came (or nothing more does), and closes.
export async function collect(receiver, channel, payloads, ids, ms = 30000) {
	let fault = null;
	try {
		await within(ms, receiver.ended, 'the end of the payloads');
	} catch (error) {
		fault = String(error.message ?? error);
	}
	receiver.close();
	const judgement = judge(receiver.name, receiver.form, receiver.items,
		payloads.map((payload, i) => ({ payload: receiver.sees(payload), id: ids[i], channel })));
	return { ...judgement, first: fault === null ? judgement.first : `${fault}; ${judgement.first ?? ''}` };
}

/* ---- publishers ------------------------------------------------------------------------------------ */

// What the channel keeps, END apart, as texts, read by short polls.
async function kept(kit, url, channel) {
	const texts = [];
	let after = '0', more = true;
	while (more) {
		const body = await (await kit.fetch(address(url, { channel, after, limit: 1000 }))).text();
		texts.push(...eventTexts(body));
		({ next: after, more } = JSON.parse(body));
	}
	return texts.filter((text) => !text.endsWith(`"data":"${END}"}`));
}

// Judges what was published by what is kept: answers[i] is what the server said of payload i, {id} or an error.
export async function judgePublished(kit, url, name, channel, payloads, answers) {
	const byId = new Map((await kept(kit, url, channel)).map((text) => [text.slice(7, 26), text]));
	const refused = answers.findIndex((answer) => answer?.id === undefined);
	if (refused !== -1) {
		const fault = `${payloads[refused].name}: answered ${JSON.stringify(answers[refused])?.slice(0, 300)}`;
		return { name, agreed: answers.filter((answer) => answer?.id !== undefined).length, of: payloads.length, first: fault };
	}
	const items = answers.map(({ id }) => (byId.has(id) ? { text: byId.get(id) } : undefined));
	const more = [...byId.keys()].filter((id) => answers.every((answer) => answer.id !== id)).map((id) => ({ text: byId.get(id) }));
	return judge(name, 'object', [...items, ...more], payloads.map((payload, i) => ({ payload, id: answers[i].id, channel })));
}

async function publishByPost(kit, url, channel, payloads, how) {
	const sent = payloads.map(bodies[how]);
	const answers = [];
	let next = 0;
	const one = async () => {
		while (next < sent.length) {
			const i = next++;
			const { type, bytes } = sent[i];
			const response = await kit.fetch(address(url, { channel }), { method: 'POST', body: bytes, headers: type ? { 'Content-Type': type } : {} });
			answers[i] = await response.json();
		}
	};
	await Promise.all([one(), one(), one(), one()]);
	return judgePublished(kit, url, `${kit.name}_posts_with_${how}`, channel, sent.map(({ as }) => as), answers);
}

// All at once; the server reads at its pace.
async function publishByOp(kit, url, channel, payloads) {
	const socket = kit.webSocket(address(url, {}).replace(/^http/, 'ws'), ['ringcast.v1']);
	const answers = [];
	let count = 0;
	await new Promise((resolve, reject) => {
		socket.onopen = () => payloads.forEach((payload, i) => socket.send(`{"op":"publish","ref":${i},${envelope(channel, payload).slice(1)}`));
		socket.onmessage = ({ data }) => {
			const answer = JSON.parse(data);
			if (answer.op !== 'published' && answer.op !== 'error')
				return;
			answers[answer.ref] = answer;
			if (++count === payloads.length)
				resolve();
		};
		socket.onerror = () => reject(new Error('the socket failed'));
		socket.onclose = ({ code, reason }) => reject(new Error(`the socket was closed after ${count} answers: ${code} ${reason}`));
	});
	socket.close();
	return judgePublished(kit, url, `${kit.name}_publishes_by_op`, channel, payloads, answers);
}

// Bare frames are texts or binary, and are answered by nothing: the echo of the last says that all are in.
async function publishByFrame(kit, url, channel, payloads) {
	const meant = payloads.map((payload) => (payload.kind === 'json' ? { ...payload, kind: 'text' } : payload));
	const receiver = receive(kit, 'websocket_raw', url, channel);
	await receiver.ready;
	for (const payload of meant)
		receiver.client.send(payload.kind === 'binary' ? payload.bytes : payload.text);
	receiver.client.send(END);
	await receiver.ended;
	receiver.close();
	const echo = judge(`${kit.name}_hears_its_own_frames`, 'raw', receiver.items, meant.map((payload) => ({ payload: receiver.sees(payload) })));
	const ids = (await kept(kit, url, channel)).map((text) => ({ id: text.slice(7, 26) }));
	return [echo, await judgePublished(kit, url, `${kit.name}_publishes_by_frame`, channel, meant, ids)];
}

// Every way to publish that the kit has, each to a channel of its own, one after the other: judgements.
export async function publishAll(kit, url, payloads, nameChannel, hows = Object.keys(bodies)) {
	const publishers = [];
	if (kit.webSocket)
		publishers.push(publishByOp, publishByFrame);
	if (kit.polls)
		publishers.push(...hows.map((how) => (...args) => publishByPost(...args, how)));
	const judgements = [];
	for (const publish of publishers) {
		const channel = nameChannel();
		try {
			judgements.push(await within(30000, publish(kit, url, channel, payloads), `${kit.name} publishes`));
		} catch (error) {
			judgements.push({ name: `${kit.name}_${publish.name}`, agreed: 0, of: payloads.length, first: String(error?.stack ?? error) });
		}
	}
	return judgements.flat();
}
