"""What an event says in plain words: action, objects, people, sentence."""
