"""A model of `proxstep export` as a torch module, in one file that needs no proxstep.

python docs/examples/torch_loader.py model.safetensors 40 17 53    # logits after three tokens
"""

import json
import sys

import torch
from safetensors import safe_open
from torch.nn import functional as F


class GPT(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
            names = file.keys()
            weights = {name.replace(".", "_"): file.get_tensor(name) for name in names}
        self.config = json.loads(metadata["model"])
        self.tokenizer = json.loads(metadata["tokenizer"])
        self.w = torch.nn.ParameterDict(weights)
        if self.config["tied"]:
            self.w["head"] = self.w["token_embedding"]
        self.head_size = self.config["channels"] // self.config["heads"]

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[name], eps=1e-5)

    def attention(self, x, block):
        parts = F.linear(x, self.w[block + "qkv"]).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (-1, self.head_size)).transpose(1, 2) for part in parts)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.linear(o.transpose(1, 2).flatten(-2), self.w[block + "projection"])

    def mlp(self, x, block):
        form = "tanh" if self.config["gelu"] == "tanh" else "none"
        hidden = F.gelu(F.linear(x, self.w[block + "up"]), approximate=form)
        return F.linear(hidden, self.w[block + "down"])

    def forward(self, tokens):  # (batch, time) -> logits (batch, time, vocabulary)
        x = self.w["token_embedding"][tokens] + self.w["position_embedding"][: tokens.shape[1]]
        for i in range(self.config["layers"]):
            block = f"blocks_{i}_"
            x = x + self.attention(self.norm(x, block + "norm1"), block)
            x = x + self.mlp(self.norm(x, block + "norm2"), block)
        return F.linear(self.norm(x, "norm"), self.w["head"])


if __name__ == "__main__":
    model = GPT(sys.argv[1])
    with torch.no_grad():
        print(model(torch.tensor([[int(token) for token in sys.argv[2:]]]))[0, -1])
