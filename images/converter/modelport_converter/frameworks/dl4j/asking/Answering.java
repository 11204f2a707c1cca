import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Answers questions with a DL4J model, over pipes: `java Answering.java FILE network|graph`.
 *
 * A question is the number of inputs, then each input: kind (a byte: f float32, d float64, h float16 as float32, l int64),
 * rank (a byte), lengths (int64), and values in C order, all of them big-endian. An answer is a byte, a length (int64,
 * little-endian) and so many bytes: 0 and the outputs in the same form; 1 and what DL4J says; 2 where memory was short, 3 where
 * the question was not read to its end: both end the process. The first answer, of no outputs, says that the model is loaded.
 */
public class Answering {
    private static final int DONE = 0, REFUSED = 1, NO_MEMORY = 2, LOST = 3, MAX_TEXT = 2000;

    private interface Model {
        INDArray[] answer(INDArray[] inputs);
    }

    public static void main(String[] arguments) throws IOException {
        // what libraries print must not come between answers
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(new FileOutputStream(FileDescriptor.out), 1 << 16));
        System.setOut(System.err);
        DataInputStream in = new DataInputStream(new BufferedInputStream(new FileInputStream(FileDescriptor.in), 1 << 16));
        Model model = null;
        while (true) {
            boolean isReading = false;
            try {
                if (model == null) {
                    model = load(new File(arguments[0]), arguments[1].equals("graph"));
                    write(out, new INDArray[0]);
                }
                isReading = true;
                INDArray[] inputs = read(in);
                isReading = false;
                if (inputs == null) {
                    return;
                }
                write(out, model.answer(inputs));
            } catch (EOFException ended) {
                return;
            } catch (Throwable error) { // DL4J raises what its libraries raise, errors among them
                Throwable cause = error;
                while (cause.getCause() != null && cause.getCause() != cause) {
                    cause = cause.getCause();
                }
                String text = cause.getClass().getSimpleName() + ": " + cause.getMessage();
                boolean isMemory = cause instanceof OutOfMemoryError || text.contains("Failed to allocate");
                int status = isMemory ? NO_MEMORY : isReading ? LOST : REFUSED;
                send(out, status, text.substring(0, Math.min(text.length(), MAX_TEXT)).getBytes(StandardCharsets.UTF_8));
                if (model == null || status != REFUSED) {
                    return;
                }
            }
        }
    }

    private static Model load(File file, boolean isGraph) throws IOException {
        if (isGraph) {
            ComputationGraph graph = ModelSerializer.restoreComputationGraph(file, false);
            return inputs -> graph.output(false, inputs);
        }
        MultiLayerNetwork network = ModelSerializer.restoreMultiLayerNetwork(file, false);
        return inputs -> new INDArray[] {network.output(inputs[0], false)};
    }

    private static INDArray[] read(DataInputStream in) throws IOException {
        int count;
        try {
            count = in.readInt();
        } catch (EOFException ended) {
            return null;
        }
        INDArray[] arrays = new INDArray[count];
        for (int i = 0; i < count; i++) {
            arrays[i] = readArray(in);
        }
        return arrays;
    }

    private static INDArray readArray(DataInputStream in) throws IOException {
        char kind = (char) in.readByte();
        long[] shape = new long[in.readByte()];
        int length = 1;
        for (int i = 0; i < shape.length; i++) {
            shape[i] = in.readLong();
            length = Math.multiplyExact(length, Math.toIntExact(shape[i]));
        }
        byte[] bytes = new byte[Math.multiplyExact(length, kind == 'd' || kind == 'l' ? 8 : 4)];
        in.readFully(bytes);
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        if (kind == 'd') {
            double[] values = new double[length];
            buffer.asDoubleBuffer().get(values);
            return Nd4j.createFromArray(values).reshape('c', shape);
        }
        if (kind == 'l') {
            long[] values = new long[length];
            buffer.asLongBuffer().get(values);
            return Nd4j.createFromArray(values).reshape('c', shape);
        }
        float[] values = new float[length];
        buffer.asFloatBuffer().get(values);
        INDArray array = Nd4j.createFromArray(values).reshape('c', shape);
        return kind == 'h' ? array.castTo(DataType.HALF) : array;
    }

    private static void write(DataOutputStream pipe, INDArray[] arrays) throws IOException {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(whole);
        out.writeInt(arrays.length);
        for (INDArray array : arrays) {
            boolean isDouble = array.dataType() == DataType.DOUBLE;
            boolean isHalf = array.dataType() == DataType.HALF;
            out.writeByte(isDouble ? 'd' : isHalf ? 'h' : 'f');
            out.writeByte(array.rank());
            for (long length : array.shape()) {
                out.writeLong(length);
            }
            INDArray flat = Nd4j.toFlattened('c', array.castTo(isDouble ? DataType.DOUBLE : DataType.FLOAT));
            ByteBuffer buffer = ByteBuffer.allocate(Math.multiplyExact((int) array.length(), isDouble ? 8 : 4));
            if (isDouble) {
                buffer.asDoubleBuffer().put(flat.toDoubleVector());
            } else {
                buffer.asFloatBuffer().put(flat.toFloatVector());
            }
            out.write(buffer.array());
        }
        send(pipe, DONE, whole.toByteArray());
    }

    private static void send(DataOutputStream pipe, int status, byte[] content) throws IOException {
        pipe.writeByte(status);
        pipe.writeLong(Long.reverseBytes(content.length));
        pipe.write(content);
        pipe.flush();
    }
}
