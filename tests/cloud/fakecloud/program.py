"""The command line of the fake cloud."""

import argparse
import asyncio
import gc
import os
import signal
import sys
import tempfile

from fakecloud.certificates import CertificateError, Certificates
from fakecloud.cloud import Cloud
from fakecloud.connection import Connection
from fakecloud.listener import Listener
from fakecloud.process import die_with_parent, write_ready
from fakecloud.settings import SWITCHES, BadValue
from fakecloud.state import BadState, read_state
from fakecloud.words import values_of

_SAMPLE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sample.json")


def _parser():
    switches = "\n".join(f"  {name:24}{switch.describe()} ({switch.default}): {switch.about}"
                         for name, switch in SWITCHES.items())
    parser = argparse.ArgumentParser(
        prog="fake", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="A stand-in for JD Cloud's OpenAPI: images and their shares, in memory.",
        epilog="switches, of --set and of the control interface:\n" + switches)
    parser.add_argument("--state", metavar="FILE", default=_SAMPLE,
                        help="accounts and images to begin with (default: a small sample)")
    parser.add_argument("--empty", action="store_true", help="begin with nothing")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (a free one)")
    parser.add_argument("--control-port", type=int, default=0, metavar="PORT",
                        help="port of the control interface (a free one), always on 127.0.0.1 "
                             "and plain HTTP; no switch disturbs it")
    parser.add_argument("--ready", metavar="FILE",
                        help="write url, control, pid and ca to FILE once ready")
    parser.add_argument("--tls", action="store_true", help="HTTPS")
    parser.add_argument("--make-ca", metavar="DIR",
                        help="keep the certificates in DIR, and make them if they are not there; "
                             "without --tls, only make them (default: a temporary directory)")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[],
                        help="a switch, several times if need be")
    parser.add_argument("--die-with-parent", action="store_true",
                        help="end when the process that started this one ends")
    return parser


async def _serve(options, certificates):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cloud = Cloud()
    if not options.empty:
        cloud.load(read_state(options.state))
    cloud.set(values_of(options.set))
    control = await loop.create_server(lambda: Connection(cloud, control_only=True),
                                       "127.0.0.1", options.control_port)
    cloud.listener = Listener(cloud, options.host, options.port, certificates)
    cloud.listener.set_mode(cloud.settings.connections)
    host = f"[{options.host}]" if ":" in options.host else options.host
    scheme = "https" if certificates else "http"
    ready = {"url": f"{scheme}://{host}:{cloud.listener.port}",
             "control": f"http://127.0.0.1:{control.sockets[0].getsockname()[1]}",
             "pid": os.getpid(), "ca": certificates.ca_file if certificates else ""}
    # What is there by now stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 20)
    if options.ready:
        write_ready(options.ready, ready)
    else:
        sys.stdout.writelines(f"{name}={value}\n" for name, value in ready.items())
        sys.stdout.flush()
    await stop.wait()
    cloud.listener.close()
    control.close()
    if options.ready:
        os.unlink(options.ready)


def main(arguments=None):
    """Runs until SIGTERM or SIGINT."""
    parent = os.getppid()
    options = _parser().parse_args(arguments)
    try:
        if options.die_with_parent:
            die_with_parent(parent)
        if options.make_ca and not options.tls:
            print(Certificates(options.make_ca).ca_file)
            return 0
        if not options.tls:
            asyncio.run(_serve(options, None))
        elif options.make_ca:
            asyncio.run(_serve(options, Certificates(options.make_ca)))
        else:
            with tempfile.TemporaryDirectory(prefix="fake-cloud-") as directory:
                asyncio.run(_serve(options, Certificates(directory)))
    except (OSError, BadState, BadValue, CertificateError, ValueError) as error:
        print(f"fake: {error}", file=sys.stderr)
        return 1
    return 0
