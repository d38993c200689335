#!/bin/sh
# Creates the namespace and Reelkit's search attributes (src/recording/search-attributes.ts). Safe to run again.
# TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE are read by the temporal CLI.
set -eu

tries=0
until temporal operator cluster health; do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || { echo "Temporal at $TEMPORAL_ADDRESS is not healthy" >&2; exit 1; }
  sleep 2
done

temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"

# A new namespace is known to every part of the server within seconds.
tries=0
until known=$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE"); do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || { echo "namespace $TEMPORAL_NAMESPACE does not answer" >&2; exit 1; }
  sleep 2
done

create() {
  echo "$known" | grep -q "^ *$1 " && return 0
  temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$1" --type "$2"
}

create RecordingStage Keyword
create RecordingRoom Keyword
create RecordingFleet Keyword
create RecordingPriority Int
create RecordingWaitingFor Keyword
create RecordingLabels KeywordList
