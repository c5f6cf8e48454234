"""What a connection may send and how it is kept, in numbers that clients are told."""

PATH = "/v1/ws"
FRAME_KIB = 256
BATCH_MAX = 256
DEPTH_MAX = 32
UNANSWERED_MAX = 1_024
UNANSWERED_MIB = 4
SUBSCRIPTIONS_MAX = 64
MALFORMED_MAX = 20
MALFORMED_S = 10
PING_S = 15
IDLE_S = 45
STALLED_S = 10
LIFETIME_H = 24
NOTICE_S = 60
ID_LENGTH_MAX = 64
# Beyond this a reader in JavaScript takes two numbers for one.
ID_NUMBER_MAX = 2**53 - 1
