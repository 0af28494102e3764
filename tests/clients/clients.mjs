// clients.mjs: the npm clients with an Inbox each, so that a test can wait for what arrives.

import { EventSource } from 'eventsource';
import WebSocket from 'ws';
import { Failure, Inbox } from './tap.mjs';

// An EventSource whose events of the given types arrive as {type, data, id}; `error` and `open` arrive too.
export class Stream extends Inbox {
	constructor(url, { types = [], headers = {} } = {}) {
		super();
		this.requests = []; // the headers of each
		this.source = new EventSource(url, {
			fetch: (input, init) => {
				this.requests.push(init.headers);
				return fetch(input, { ...init, headers: { ...init.headers, ...headers } });
			},
		});
		for (const type of ['message', 'ringcast.welcome', 'ringcast.live', 'ringcast.gap', ...types])
			this.source.addEventListener(type, (event) => this.push({ type: event.type, data: event.data, id: event.lastEventId }));
		this.source.addEventListener('open', () => this.push({ type: 'open' }));
		this.source.addEventListener('error', (event) => this.push({ type: 'error', code: event.code, final: this.source.readyState === 2 }));
	}

	async event(type, ms) {
		return this.next((item) => item.type === type, ms);
	}

	close() {
		this.source.close();
	}
}

// A WebSocket of ws; messages arrive as {text, binary, bytes, object}, its end as {closed: code, reason}.
export class Socket extends Inbox {
	constructor(url, protocols = [], options = {}) {
		super();
		this.socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { perMessageDeflate: false, ...options });
		this.pings = 0;
		this.opened = new Promise((resolve, reject) => {
			this.socket.on('open', () => resolve(this));
			this.socket.on('error', (error) => reject(new Failure(error.message)));
		});
		this.opened.catch(() => {});
		this.socket.on('message', (bytes, binary) => {
			const text = binary ? null : bytes.toString();
			let object = null;
			try {
				object = JSON.parse(text);
			} catch { /* bare data */ }
			this.push({ text, binary, bytes, object });
		});
		this.socket.on('ping', () => this.pings++);
		this.socket.on('pong', (bytes) => this.push({ pong: bytes.toString() }));
		this.socket.on('close', (code, reason) => this.push({ closed: code, reason: reason.toString() }));
	}

	static async open(url, protocols, options) {
		return new Socket(url, protocols, options).opened;
	}

	send(object) {
		this.socket.send(typeof object === 'string' ? object : JSON.stringify(object));
	}

	// The next control object of this op; the next event.
	async op(op, ms) {
		return (await this.next((item) => item.object?.op === op, ms)).object;
	}

	async event(ms) {
		return this.next((item) => item.object?.id !== undefined && item.object.op === undefined, ms);
	}

	async closed(ms) {
		return this.next((item) => item.closed !== undefined, ms);
	}

	close() {
		this.socket.terminate();
	}
}
