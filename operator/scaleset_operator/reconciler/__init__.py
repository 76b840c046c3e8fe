"""The loop: observe, decide, record, act. It sees the world through its ports only."""
