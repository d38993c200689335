// sdk-go calls LiveKit as an application in Go does: the unmodified server-sdk-go behind one line of JSON for a call and one for its
// answer. Tests run the same calls through it against LiveKit alone and LiveKit with Reelkit. It decides nothing about answers.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/webhook"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/twitchtv/twirp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	callLimit   = 60 * time.Second
	longestLine = 1 << 20
)

// call is one line of standard input.
type call struct {
	ID      int             `json:"id"`
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
	Token   string          `json:"token"` // instead of one that the SDK signs
}

// answer is one line of standard output.
type answer struct {
	ID    int             `json:"id"`
	OK    json.RawMessage `json:"ok,omitempty"`
	Error *failure        `json:"error,omitempty"`
}

type failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

type keys struct{ url, key, secret string }

func main() {
	k := keys{os.Getenv("LIVEKIT_URL"), os.Getenv("LIVEKIT_API_KEY"), os.Getenv("LIVEKIT_API_SECRET")}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	out := json.NewEncoder(os.Stdout)
	var writing sync.Mutex
	var running sync.WaitGroup
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, "sdk-go: a line that is no call:", err)
			os.Exit(1)
		}
		running.Go(func() {
			a := k.answer(c)
			writing.Lock()
			defer writing.Unlock()
			_ = out.Encode(a)
		})
	}
	running.Wait()
}

func (k keys) answer(c call) answer {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	message, err := k.ask(ctx, c)
	if err != nil {
		return answer{ID: c.ID, Error: failureOf(err)}
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		return answer{ID: c.ID, Error: failureOf(err)}
	}
	return answer{ID: c.ID, OK: text}
}

func failureOf(err error) *failure {
	var known twirp.Error
	if errors.As(err, &known) {
		return &failure{Code: string(known.Code()), Message: known.Msg()}
	}
	return &failure{Message: err.Error()}
}

func (k keys) ask(ctx context.Context, c call) (proto.Message, error) {
	if c.Method == "ReceiveWebhook" {
		return k.receive(c.Request)
	}
	egress, err := k.egress(c.Token)
	if err != nil {
		return nil, err
	}
	switch c.Method {
	case "StartEgress":
		return ask(ctx, c.Request, egress.StartEgress)
	case "StartRoomCompositeEgress":
		return ask(ctx, c.Request, egress.StartRoomCompositeEgress)
	case "StartWebEgress":
		return ask(ctx, c.Request, egress.StartWebEgress)
	case "StartParticipantEgress":
		return ask(ctx, c.Request, egress.StartParticipantEgress)
	case "StartTrackCompositeEgress":
		return ask(ctx, c.Request, egress.StartTrackCompositeEgress)
	case "StartTrackEgress":
		return ask(ctx, c.Request, egress.StartTrackEgress)
	case "UpdateLayout":
		return ask(ctx, c.Request, egress.UpdateLayout)
	case "UpdateStream":
		return ask(ctx, c.Request, egress.UpdateStream)
	case "ListEgress":
		return ask(ctx, c.Request, egress.ListEgress)
	case "StopEgress":
		return ask(ctx, c.Request, egress.StopEgress)
	}
	return nil, fmt.Errorf("no method %q", c.Method)
}

func (k keys) egress(token string) (*lksdk.EgressClient, error) {
	if token == "" {
		return lksdk.NewEgressClient(k.url, k.key, k.secret), nil
	}
	api, err := lksdk.NewLiveKitAPI(lksdk.WithURL(k.url), lksdk.WithToken(token))
	if err != nil {
		return nil, err
	}
	return api.Egress(), nil
}

// ask reads the request, calls, and returns what the SDK returned.
func ask[T any, Request interface {
	*T
	proto.Message
}, Reply proto.Message](ctx context.Context, raw json.RawMessage, method func(context.Context, Request) (Reply, error)) (proto.Message, error) {
	request := Request(new(T))
	if err := protojson.Unmarshal(raw, request); err != nil {
		return nil, err
	}
	return method(ctx, request)
}

// receive is what an application does with a webhook: check its signature, then read it.
func (k keys) receive(raw json.RawMessage) (proto.Message, error) {
	var hook struct{ Body, Authorization string }
	if err := json.Unmarshal(raw, &hook); err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, "/", strings.NewReader(hook.Body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", hook.Authorization)
	return webhook.ReceiveWebhookEvent(request, auth.NewSimpleKeyProvider(k.key, k.secret))
}
