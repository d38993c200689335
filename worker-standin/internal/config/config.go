// Package config reads the worker configuration: the real worker's own YAML keys with its defaults.
// Keys that mean nothing to the stand-in are ignored, so one file serves both. It opens no connection.
package config

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/livekit/protocol/logger"
	"github.com/livekit/protocol/redis"
	"github.com/livekit/protocol/utils/guid"
	"gopkg.in/yaml.v3"
)

// Config is the part of the real worker's configuration that the stand-in obeys.
type Config struct {
	NodeID string `yaml:"-"`

	APIKey    string             `yaml:"api_key"`
	APISecret string             `yaml:"api_secret"`
	WSURL     string             `yaml:"ws_url"`
	Redis     *redis.RedisConfig `yaml:"redis"`

	Logging        Logging `yaml:"logging"`
	ClusterID      string  `yaml:"cluster_id"`
	HealthPort     int     `yaml:"health_port"`
	PrometheusPort int     `yaml:"prometheus_port"`

	DisallowLocalStorage bool          `yaml:"disallow_local_storage"`
	IOCreateTimeout      time.Duration `yaml:"io_create_timeout"`
	IOUpdateTimeout      time.Duration `yaml:"io_update_timeout"`
	IOSelectionTimeout   time.Duration `yaml:"io_selection_timeout"`

	SessionLimits SessionLimits `yaml:"session_limits"`
	Storage       Storage       `yaml:"storage"`
	CPUCost       CPUCost       `yaml:"cpu_cost"`
}

// Logging mirrors the real worker's logging block; the stand-in always writes JSON.
type Logging struct {
	Level string `yaml:"level"`
	JSON  bool   `yaml:"json"`
}

// SessionLimits ends a recording that runs too long; zero means no limit.
type SessionLimits struct {
	FileOutputMaxDuration time.Duration `yaml:"file_output_max_duration"`
	FileOutputMaxSize     int64         `yaml:"file_output_max_size"`

	StreamOutputMaxDuration  time.Duration `yaml:"stream_output_max_duration"`
	SegmentOutputMaxDuration time.Duration `yaml:"segment_output_max_duration"`
	ImageOutputMaxDuration   time.Duration `yaml:"image_output_max_duration"`
}

// Storage names where files go. Cloud destinations are read only to be refused by name.
type Storage struct {
	Prefix string         `yaml:"prefix"`
	S3     map[string]any `yaml:"s3"`
	GCP    map[string]any `yaml:"gcp"`
	Azure  map[string]any `yaml:"azure"`
	AliOSS map[string]any `yaml:"alioss"`
}

// CPUCost is the admission model: cores charged for each kind of request.
type CPUCost struct {
	MaxCPUUtilization         float64 `yaml:"max_cpu_utilization"`
	MaxMemoryGB               float64 `yaml:"max_memory"`
	MemoryCostGB              float64 `yaml:"memory_cost"`
	RoomComposite             float64 `yaml:"room_composite_cpu_cost"`
	AudioRoomComposite        float64 `yaml:"audio_room_composite_cpu_cost"`
	SDKAudioRoomComposite     float64 `yaml:"sdk_audio_room_composite_cpu_cost"`
	SDKAudioRoomCompositeMemG float64 `yaml:"sdk_audio_room_composite_memory_cost"`
	Web                       float64 `yaml:"web_cpu_cost"`
	AudioWeb                  float64 `yaml:"audio_web_cpu_cost"`
	Participant               float64 `yaml:"participant_cpu_cost"`
	TrackComposite            float64 `yaml:"track_composite_cpu_cost"`
	Track                     float64 `yaml:"track_cpu_cost"`
	MaxPulseClients           int     `yaml:"max_pulse_clients"`
}

// Load finds the configuration as the real worker does: a body wins over a file.
func Load(file, body string) (*Config, error) {
	if body == "" {
		if file == "" {
			return nil, errors.New("missing config: pass --config FILE, or set EGRESS_CONFIG_FILE or EGRESS_CONFIG_BODY")
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("could not read the configuration: %w", err)
		}
		body = string(content)
	}
	return Parse(body)
}

// Parse reads YAML and fills in what is missing.
func Parse(body string) (*Config, error) {
	c := &Config{
		APIKey:    os.Getenv("LIVEKIT_API_KEY"),
		APISecret: os.Getenv("LIVEKIT_API_SECRET"),
		WSURL:     os.Getenv("LIVEKIT_WS_URL"),
		Logging:   Logging{Level: "info", JSON: true},
	}
	if err := yaml.Unmarshal([]byte(body), c); err != nil {
		return nil, fmt.Errorf("could not parse config: %w", err)
	}
	c.NodeID = guid.New("NE_")
	c.IOCreateTimeout = orDuration(c.IOCreateTimeout, 15*time.Second)
	c.IOUpdateTimeout = orDuration(c.IOUpdateTimeout, 30*time.Second)
	c.CPUCost.fill()
	return c, nil
}

// InitLogger sends JSON lines to standard error, as the real worker does in a container.
func (c *Config) InitLogger() {
	logger.InitFromConfig(&logger.Config{JSON: true, Level: c.Logging.Level}, "egress")
	logger.SetLogger(logger.GetLogger().WithValues("nodeID", c.NodeID, "clusterID", c.ClusterID), "egress")
}

func (c *CPUCost) fill() {
	if c.MaxCPUUtilization <= 0 || c.MaxCPUUtilization > 1 {
		c.MaxCPUUtilization = 0.8
	}
	c.RoomComposite = orCores(c.RoomComposite, 4)
	c.AudioRoomComposite = orCores(c.AudioRoomComposite, 1)
	c.SDKAudioRoomComposite = orCores(c.SDKAudioRoomComposite, c.AudioRoomComposite)
	c.SDKAudioRoomCompositeMemG = orCores(c.SDKAudioRoomCompositeMemG, c.MemoryCostGB)
	c.Web = orCores(c.Web, 4)
	c.AudioWeb = orCores(c.AudioWeb, 1)
	c.Participant = orCores(c.Participant, 2)
	c.TrackComposite = orCores(c.TrackComposite, 1)
	c.Track = orCores(c.Track, 0.5)
	if c.MaxPulseClients == 0 {
		c.MaxPulseClients = 60
	}
}

func orCores(v, fallback float64) float64 {
	if v <= 0 {
		return fallback
	}
	return v
}

func orDuration(v, fallback time.Duration) time.Duration {
	if v == 0 {
		return fallback
	}
	return v
}
