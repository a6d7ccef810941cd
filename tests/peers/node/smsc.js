// An SMSC on node's package smpp. Its argument, in JSON: {"version", "key", "cert"}. Lines of JSON in: the fields of a
// deliver_sm to send, or {"do": "unbind"}, {"do": "throttle", "times"}. Lines of JSON out: what happens.
'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const options = JSON.parse(process.argv[2] || '{}');
const tell = (event, fields) => console.log(JSON.stringify({event, ...fields}));
const KINDS = ['bind_transceiver', 'bind_receiver', 'bind_transmitter'];
const sessions = {}; // by kind
let submitted = 0;
let throttled = 0;

// What the package says of a message that is not whole by itself; nothing of one that is.
const long = (pdu) => {
    if (pdu.message_payload !== undefined) {
        return {payload: pdu.message_payload.message, vendor: pdu.vendor_specific};
    }
    if (pdu.sar_total_segments !== undefined) {
        return {part: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum]};
    }
    const udh = pdu.short_message.udh;
    return udh ? {udh: udh.map((element) => element.toString('hex'))} : {};
};

const receiver = () => sessions.bind_transceiver || sessions.bind_receiver;
const deliver = (fields, told) => receiver().deliver_sm(fields, (pdu) => tell(told, {status: pdu.command_status}));

const bound = (session, kind, pdu) => {
    const known = pdu.system_id === 'smsgw' && pdu.password === 'secret';
    const fields = {command_status: known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: 'node'};
    if (options.version) {
        fields.sc_interface_version = options.version;
    }
    session.send(pdu.response(fields));
    if (known) {
        sessions[kind] = session;
    }
    tell('bound', {kind, status: fields.command_status, version: pdu.interface_version});
};

const report = (pdu, id) => deliver({
    source_addr: pdu.destination_addr,
    source_addr_ton: pdu.dest_addr_ton,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:`,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
}, 'reported');

const onSession = (session) => {
    session.on('error', (error) => tell('error', {message: error.message}));
    session.on('close', () => tell('closed', {}));
    KINDS.forEach((kind) => session.on(kind, (pdu) => bound(session, kind, pdu)));
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('submit_sm', (pdu) => {
        if (throttled > 0) {
            throttled -= 1;
            session.send(pdu.response({command_status: smpp.ESME_RTHROTTLED}));
            tell('throttled', {});
            return;
        }
        submitted += 1;
        const id = `node-${submitted}`;
        session.send(pdu.response({message_id: id}));
        tell('submitted', {
            source: pdu.source_addr,
            destination: pdu.destination_addr,
            coding: pdu.data_coding,
            text: pdu.short_message.message,
            ...long(pdu),
        });
        if (pdu.registered_delivery) {
            report(pdu, id);
        }
    });
    session.on('unbind', (pdu) => {
        session.send(pdu.response(), () => session.close());
        tell('unbound', {});
    });
};

const tls = options.key ? {key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert)} : {};
const server = smpp.createServer(tls, onSession);
server.listen(0, '127.0.0.1', () => tell('listening', {port: server.address().port}));

const COMMANDS = {
    unbind: () => receiver().unbind(() => tell('agreed', {})),
    throttle: ({times}) => { throttled = times; },
};

readline.createInterface({input: process.stdin})
    .on('line', (line) => {
        const fields = JSON.parse(line);
        if (fields.udh) {
            const {udh, text, ...others} = fields;
            deliver({...others, short_message: {udh: Buffer.from(udh, 'hex'), message: text}}, 'answered');
        } else if (fields.do) {
            COMMANDS[fields.do](fields);
        } else {
            deliver(fields, 'answered');
        }
    })
    .on('close', () => process.exit(0));
