# silence
