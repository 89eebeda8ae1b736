package abi

import "testing"

func TestMethodNameHasTheSidesThatStream(t *testing.T) {
	for text, want := range map[string]MethodFlags{
		"Last":                    0,
		"Upload requests":         StreamsRequests,
		"Watch responses":         StreamsResponses,
		"Chat requests responses": StreamsRequests | StreamsResponses,
	} {
		name, streams := SplitMethodName(text)
		if streams != want || name+want.NameSuffix() != text {
			t.Errorf("%q has been split into %q and %b", text, name, streams)
		}
	}
	if name, streams := SplitMethodName("Chat later"); name != "Chat" || streams != 0 {
		t.Errorf("found %q and %b", name, streams)
	}
}
