// A FIX client made with jspurefix. It understands and tells the same lines as `initiator.cpp`
// beside this folder.
//
//   node client.mjs '{"host":..., "port":..., "sender":..., "target":..., "key":..., "pem":...,
//                     "dictionary":..., "store":...}'
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(import.meta.url)
require('reflect-metadata')
const { AsciiSession, AsciiSessionMsgFactory, EmptyLogFactory, SessionLauncher } =
  require('jspurefix')

const settings = JSON.parse(process.argv[2])
const privateKey = createPrivateKey(readFileSync(settings.pem))
const SIGNATURE_LENGTH = 88

function tell (kind, text) {
  process.stdout.write(`${kind} ${text.replaceAll('\n', ' ')}\n`)
}

// As it will be encoded: UTC with milliseconds.
function timestamp (time) {
  return time.toISOString().replaceAll('-', '').replace('T', '-').replace('Z', '')
}

class SignedMsgFactory extends AsciiSessionMsgFactory {
  logon () {
    // Its number and time are known only when the header is made: the bytes are filled in there.
    this.signature = Buffer.alloc(SIGNATURE_LENGTH)
    return {
      ...super.logon(),
      Username: settings.key,
      RawDataLength: SIGNATURE_LENGTH,
      RawData: this.signature
    }
  }

  header (msgType, number, time, override) {
    if (msgType === 'A') {
      const text = ['A', settings.sender, settings.target, number, timestamp(time)].join('\x01')
      this.signature.write(sign(null, Buffer.from(text), privateKey).toString('base64'))
    }
    return super.header(msgType, number, time, override)
  }
}

class Client extends AsciiSession {
  constructor (config) {
    super(config)
    this.checkMsgIntegrity = true
    this.definitions = config.definitions
    createInterface({ input: process.stdin }).on('line', line => { this.obey(line) })
  }

  obey (line) {
    if (line === 'logout') {
      this.done()
      return
    }
    const [type, fields] = [line.split(' ', 1)[0], line.slice(line.indexOf(' ') + 1)]
    const message = {}
    for (const field of fields.split('|')) {
      const equals = field.indexOf('=')
      const definition = this.definitions.tagToSimple[Number(field.slice(0, equals))]
      message[definition.name] = field.slice(equals + 1)
    }
    this.send(type, message)
  }

  onReady () { tell('!', 'logged on') }
  onLogon () { return true }
  onStopped (error) { tell('!', `logged out ${error ?? ''}`) }
  onEncoded (type, text) { tell('>', text) }
  onDecoded (type, text) { tell('<', text.replaceAll('\x01', '|')) }
  onApplicationMsg (type, view) { tell('=', parsed(view)) }
}

// The message as the library has understood it.
function parsed (view) {
  const tags = view.structure.tags
  return tags.tagPos.slice(0, tags.nextTagPos)
    .map(({ tag, start, len }) => `${tag}=${view.buffer.getString(start, start + len)}`).join('|')
}

class Launcher extends SessionLauncher {
  constructor () {
    super({
      application: {
        type: 'initiator',
        name: 'peer',
        protocol: 'ascii',
        dictionary: settings.dictionary,
        resilient: true,
        reconnectSeconds: 1,
        recoveryAttemptSeconds: 1,
        tcp: { host: settings.host, port: settings.port }
      },
      BeginString: 'FIX.4.4',
      SenderCompId: settings.sender,
      TargetCompID: settings.target,
      HeartBtInt: 30,
      ResetSeqNumFlag: false,
      store: { type: 'file', directory: settings.store }
    }, null, new EmptyLogFactory())
  }

  makeSessionMsgFactory (description) { return new SignedMsgFactory(description) }
  makeFactory () { return { makeSession: config => new Client(config) } }
}

try {
  await new Launcher().run()
} catch (error) {
  console.error(error)
  process.exit(1)
}
process.exit(0)
