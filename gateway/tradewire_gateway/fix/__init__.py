"""FIX 4.4: from bytes to messages and sessions, without any I/O.

    values      how single values are written      store     what outlives a connection
    message     messages as values                 session   what goes on between two sides
    codec       bytes to fields and back           dictionary, quickfix_xml, validation
                                                             which messages there are, and rejects

Everything here is a plain object. What does I/O stands outside and is thin: it reads bytes and a
clock, performs actions in order until there are none, and keeps a store for each pair of CompIDs:

    session = Session(validator, SessionSettings(), now())   # one validator serves all sessions
    while data := await reader.read(65536):                  # and tick() when deadline_ns comes
        session.receive_data(data, now())
        for action in session.actions():
            match action:
                case LogonRequested(logon): session.accept(store.numbers(), now())  # or refuse
                case Send(data, None): writer.write(data)
                case Send(data, number, record): store.append(number, record); writer.write(data)
                case Deliver(message, number): ...           # once durable: as for the next
                case Consumed(number): store.set_next_inbound(number)
                case Reset(): store.reset()
                case Fetch(): session.resend(action, store.read(*action), now())
                case Disconnect(): writer.close()

The application calls `session.send(msg_type, encode_fields(fields), now())` at any time. Deciding
on a Logon(A) and fetching may take their time: the session goes on when they are answered.
"""
