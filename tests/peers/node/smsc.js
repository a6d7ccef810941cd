// An SMSC on node's package smpp. Lines of JSON in: the fields of a deliver_sm to send. Lines of JSON out: what happens.
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const tell = (event, fields) => console.log(JSON.stringify({event, ...fields}));
let gateway = null;
let submitted = 0;

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

const server = smpp.createServer((session) => {
    session.on('error', (error) => tell('error', {message: error.message}));
    session.on('close', () => tell('closed', {}));
    session.on('bind_transceiver', (pdu) => {
        const known = pdu.system_id === 'smsgw' && pdu.password === 'secret';
        session.send(pdu.response({command_status: known ? smpp.ESME_ROK : smpp.ESME_RINVPASWD, system_id: 'node'}));
        gateway = known ? session : null;
        tell('bound', {status: known ? 0 : smpp.ESME_RINVPASWD, version: pdu.interface_version});
    });
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('submit_sm', (pdu) => {
        submitted += 1;
        session.send(pdu.response({message_id: `node-${submitted}`}));
        tell('submitted', {
            source: pdu.source_addr,
            destination: pdu.destination_addr,
            coding: pdu.data_coding,
            text: pdu.short_message.message,
            ...long(pdu),
        });
    });
    session.on('unbind', (pdu) => {
        session.send(pdu.response(), () => session.close());
        tell('unbound', {});
    });
});

server.listen(0, '127.0.0.1', () => tell('listening', {port: server.address().port}));

readline.createInterface({input: process.stdin})
    .on('line', (line) => gateway.deliver_sm(JSON.parse(line), (pdu) => tell('answered', {status: pdu.command_status})))
    .on('close', () => process.exit(0));
