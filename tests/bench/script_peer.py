"""The peer of the position path: the forty lines that anybody would write with pyserial, pynmea2 and paho.

Usage: python -m tests.bench.script_peer PTY BROKER_PORT. It publishes when the epoch's last sentence, GLL, has come.
"""

from __future__ import annotations

import json
import sys

import paho.mqtt.client as mqtt
import pynmea2
import serial
from paho.mqtt.enums import CallbackAPIVersion

TOPIC = "bench/script/position"


def main(port: str, broker_port: int) -> None:
    receiver = serial.Serial(port, 9600, timeout=1)
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker_port)
    client.loop_start()
    position: dict[str, object] = {}
    while True:
        line = receiver.readline().decode("ascii", errors="replace").strip()
        try:
            sentence = pynmea2.parse(line, check=True)
        except pynmea2.ParseError:
            continue
        if sentence.sentence_type == "RMC":
            position["time"] = sentence.datetime.isoformat()
            position["valid"] = sentence.is_valid
            position["speed_mps"] = (sentence.spd_over_grnd or 0.0) * 1852 / 3600
            position["course_deg"] = sentence.true_course
        elif sentence.sentence_type == "GGA":
            position["latitude_deg"] = sentence.latitude
            position["longitude_deg"] = sentence.longitude
            position["altitude_m"] = sentence.altitude
            position["satellites"] = int(sentence.num_sats)
            position["hdop"] = float(sentence.horizontal_dil)
        elif sentence.sentence_type == "GLL":
            client.publish(TOPIC, json.dumps(position), qos=1)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
