#!/bin/sh
# Runs the agent of the crash tests that speaks ACP. A lock of its session shows whether another process of it runs.
exec 9>>"/run/tester/locks/$SD_GATEWAY_SESSION"
flock --nonblock 9 || echo "overlap $SD_GATEWAY_SESSION - 0" >>/run/tester/turns
exec node /usr/lib/sd-gateway/test/support/acp-agent.mjs '{"plan": "/usr/lib/sd-gateway/test/crash/inside/acp-plan.mjs"}'
