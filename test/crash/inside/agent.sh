#!/bin/sh
# The agent of the crash tests: writes down when each turn begins and ends, and what one of a session that collects was
# given. A lock of its session shows whether another turn of it runs, also one that an earlier gateway left behind.
# Turns that are to be interrupted, cancelled or waited for take longer; a stubborn one does not end when it is told to.
# The gateway may end before it has written all: the rest is no input.
#   agent.sh [jsonl]    jsonl: the reply is an event, so that nobody is shown it before it is whole
read -r line || line=
turn="$SD_GATEWAY_SESSION $SD_GATEWAY_MESSAGE $SD_GATEWAY_ATTEMPT"
input=
time=0.01
case $SD_GATEWAY_SESSION in
  collect-*) input=${line:+ $line} time=0.1 ;;
  interrupt-* | cancel-*) time=0.2 ;;
esac
case $line in *'"stubborn":true'*) trap '' TERM && time=0.6 ;; esac
exec 9>>"/run/tester/locks/$SD_GATEWAY_SESSION"
flock --nonblock 9 || echo "overlap $turn" >>/run/tester/turns
printf '%s\n' "begin $turn$input" >>/run/tester/turns
sleep $time 9>&-
echo "end $turn" >>/run/tester/turns
reply="reply to $SD_GATEWAY_MESSAGE"
if [ "$1" = jsonl ]; then printf '{"type": "reply", "text": "%s"}\n' "$reply"; else echo "$reply"; fi
