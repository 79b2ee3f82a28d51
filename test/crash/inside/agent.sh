#!/bin/sh
# The agent of the crash tests: writes down when each turn begins and ends. A lock of its session shows whether another
# turn of it runs, also one that an earlier gateway left behind.
read -r line
exec 9>>"/run/tester/locks/$SD_GATEWAY_SESSION"
flock --nonblock 9 || echo "overlap $SD_GATEWAY_SESSION $SD_GATEWAY_MESSAGE" >>/run/tester/turns
echo "begin $SD_GATEWAY_SESSION $SD_GATEWAY_MESSAGE $SD_GATEWAY_ATTEMPT" >>/run/tester/turns
sleep 0.01 9>&-
echo "end $SD_GATEWAY_SESSION $SD_GATEWAY_MESSAGE $SD_GATEWAY_ATTEMPT" >>/run/tester/turns
echo "reply to $SD_GATEWAY_MESSAGE"
