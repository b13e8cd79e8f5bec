"""A stand-in for the part of JD Cloud's OpenAPI that has to do with images and their shares.

Modules, from the bottom up:

    rows         what the service answers when it refuses: one table
    settings     the switches of its behaviour: one table
    signature    what a signed request has to look like
    limits       the minute limiter, and the nonces that were used
    state        accounts, keys, images and shares
    calls        which operation a request asks for
    images, shares, lifecycle, users    the operations
    faults       misbehaviour on demand: which requests it meets
    journal      what was asked
    answers      bytes of a response
    exchange     one request from its arrival to its answer, faults included
    connection   HTTP/1.1 on one connection
    listener     accepting connections, or not
    cloud        all of the above together
    control      the control interface
    certificates, process, words, program    TLS files, the process, the command line
    remote       the command line client of the control interface
"""
