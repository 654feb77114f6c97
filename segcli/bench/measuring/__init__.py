"""Taking times: clocks, when to stop, whether the answer is right, what the machine is."""
