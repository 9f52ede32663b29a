//! A CAN bus: SocketCAN, or socketcand over TCP.
