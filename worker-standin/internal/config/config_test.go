package config

import (
	"testing"
	"time"
)

func TestDefaultsAreTheRealWorkers(t *testing.T) {
	c, err := Parse("api_key: k")
	if err != nil {
		t.Fatal(err)
	}
	want := CPUCost{MaxCPUUtilization: 0.8, RoomComposite: 4, AudioRoomComposite: 1, SDKAudioRoomComposite: 1, Web: 4, AudioWeb: 1, Participant: 2, TrackComposite: 1, Track: 0.5, MaxPulseClients: 60}
	if c.CPUCost != want {
		t.Fatalf("got %+v", c.CPUCost)
	}
	if c.IOCreateTimeout != 15*time.Second || c.IOUpdateTimeout != 30*time.Second {
		t.Fatalf("IO timeouts are %v and %v", c.IOCreateTimeout, c.IOUpdateTimeout)
	}
	if c.NodeID[:3] != "NE_" {
		t.Fatalf("node id is %q", c.NodeID)
	}
}

func TestTheRealWorkersKeysAreReadAndUnknownOnesIgnored(t *testing.T) {
	c, err := Parse(`
api_key: k
redis: {address: "127.0.0.1:6379", db: 2}
enable_chrome_sandbox: true
chrome_flags: {x: y}
session_limits: {file_output_max_duration: 1h30m}
storage: {prefix: /rec}
cpu_cost: {room_composite_cpu_cost: 0.5, max_cpu_utilization: 7, audio_room_composite_cpu_cost: 0.25}
`)
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Address != "127.0.0.1:6379" || c.Redis.DB != 2 || c.SessionLimits.FileOutputMaxDuration != 90*time.Minute || c.Storage.Prefix != "/rec" {
		t.Fatalf("got %+v", c)
	}
	if c.CPUCost.RoomComposite != 0.5 || c.CPUCost.SDKAudioRoomComposite != 0.25 || c.CPUCost.MaxCPUUtilization != 0.8 {
		t.Fatalf("got %+v", c.CPUCost)
	}
}

func TestSwitches(t *testing.T) {
	env := map[string]string{"STANDIN_BOOT_DELAY": "2s", "STANDIN_MEDIA": "none"}
	s, err := ReadSwitches(func(k string) string { return env[k] })
	if err != nil || s.BootDelay != 2*time.Second || !s.NoMedia || s.LaunchDelay != 100*time.Millisecond {
		t.Fatalf("got %+v, %v", s, err)
	}
	env["STANDIN_MEDIA"] = "some"
	if _, err = ReadSwitches(func(k string) string { return env[k] }); err == nil {
		t.Fatal("an unknown value must be refused")
	}
}
